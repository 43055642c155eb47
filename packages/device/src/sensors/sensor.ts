/** One reading, as it stands in the JSON that is published. */
export interface Reading {
  readonly value: number
  /** As written for people: `°C`, `%`. */
  readonly unit: string
}

/** Something that measures one quantity. */
export interface Sensor {
  /** The last level of its topic: `temperature`. */
  readonly quantity: string
  /** @param now milliseconds of the clock that runs the device */
  read(now: number): Reading
}
