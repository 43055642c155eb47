/** How many more QoS 1 and 2 PUBLISH packets may be sent before one is acknowledged.
 *  @see MQTT 5.0, 4.9 */
export class SendQuota {
  /** The peer's Receive Maximum. */
  maximum: number
  available: number

  /** @param receiveMaximum 1 to 65535; absent in CONNECT or CONNACK it is 65535 */
  constructor(receiveMaximum = 65535) {
    this.maximum = receiveMaximum
    this.available = receiveMaximum
  }

  /** Begins anew, as at each connection: quotas do not outlive it. */
  reset(receiveMaximum: number): void {
    this.maximum = receiveMaximum
    this.available = receiveMaximum
  }

  take(): void {
    this.available--
  }

  give(): void {
    // Never exceeds its first value: an old connection's PUBACK may come in excess [MQTT-4.9.0-1].
    if (this.available < this.maximum) this.available++
  }
}
