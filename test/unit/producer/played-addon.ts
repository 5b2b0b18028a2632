export type Callback<Failure = unknown> = (error: Failure | null, result?: unknown) => void;

/** What every native producer has that the library makes, played by a test. `Events` are those that it tells. */
export class PlayedAddon<Events> {
  isDisconnected = false;
  protected events: Events | undefined;

  configureCallbacks(_add: boolean, { event }: { event: Events }): void {
    this.events = event;
  }
  connect(callback: Callback): void {
    callback(null);
  }
  disconnect(callback: Callback): void {
    this.isDisconnected = true;
    callback(null);
  }
  getMetadata(_options: unknown, callback: Callback): void {
    callback(null, { brokers: [], topics: [] });
  }
  setPollInBackground(): void {
    // Its reports come when the test says so.
  }
}
