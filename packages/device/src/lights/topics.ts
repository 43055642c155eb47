import { DEFAULT_PREFIX, deviceTopics } from '../link.ts'

/** Topics of a light whose own begin with `prefix`.
 *  @throws RangeError when the prefix cannot stand in a topic */
export function lightTopics(prefix: string = DEFAULT_PREFIX) {
  const { status, control, state, error } = deviceTopics(prefix)
  return {
    status,
    control,
    state,
    error,
    /** Where the times of a command that someone follows are told. */
    trace: `${prefix}/led/trace`,
    /** Commands and state in Home Assistant's JSON schema. */
    homeAssistantSet: `${prefix}/led/ha/set`,
    homeAssistantState: `${prefix}/led/ha/state`,
  } as const
}
