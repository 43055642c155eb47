/** The properties of a PUBLISH that has none but its Topic Alias. Their length is known and their bytes are four,
 *  so that who sends an alias with every message pays no search for it: a third of the time (bench/client). */
export class TopicAliasOnly {
  /** 1 to 65535. */
  readonly topicAlias: number

  /** @throws RangeError for what no alias can be */
  constructor(topicAlias: number) {
    if (!Number.isInteger(topicAlias) || topicAlias < 1 || topicAlias > 65535) {
      throw new RangeError(`topicAlias is ${topicAlias}; it takes 1 to 65535`)
    }
    this.topicAlias = topicAlias
  }
}

/** Bytes of the property without the length in front of it. */
export const TOPIC_ALIAS_LENGTH = 3
