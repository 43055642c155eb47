import { runTable } from './kit/run.ts'
import { SERVER_TABLES } from './server/tables.ts'

for (const table of SERVER_TABLES) runTable(table)
