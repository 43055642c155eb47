import { workerTimers } from './page-timers.ts'
import type { Parts } from './parts.ts'

/** The part with which a page's timers go on while its tab is in the background, by a worker where it may have one. */
export const timers: Parts = { timers: workerTimers }
