// The stopwatch of one measurement: from its first record to its last, or until the time is over.
import { readFileSync } from "node:fs";

export class Meter {
  #resolve;
  /** Resolves with the result when enough records were counted or the time is over. */
  finished = new Promise((resolve) => {
    this.#resolve = resolve;
  });
  #records = 0;
  #limit;
  #seconds;
  #begun;
  #cpu;
  #mainCpu;
  #brokerPid;
  #brokerCpu;
  #over = false;
  #every;
  #nextMark;
  #marks = [];

  /** `every`: the result says how long each so many records took. */
  constructor({ records, seconds, every = Infinity, brokerPid }) {
    this.#brokerPid = brokerPid;
    this.#limit = records;
    this.#seconds = seconds;
    this.#every = every;
    this.#nextMark = every;
  }

  /** Starts the clock; for consumers the first record does. */
  start() {
    this.#begun = performance.now();
    this.#cpu = process.cpuUsage();
    this.#mainCpu = mainThreadSeconds();
    this.#brokerCpu = secondsOf(this.#brokerPid);
    setTimeout(() => {
      this.#over = true;
      this.onTimeOver();
    }, this.#seconds * 1000);
  }

  onTimeOver = () => this.finish();

  /** One more record was handled. */
  record() {
    if (this.#records === 0) this.start();
    this.#records += 1;
    if (this.#records === this.#nextMark) this.#mark();
    if (this.#records === this.#limit) this.finish();
  }

  #mark() {
    this.#marks.push((performance.now() - this.#begun) / 1000);
    this.#nextMark += this.#every;
  }

  /** `records`: how many there were, where they were not counted one by one. */
  finish(extra = {}, records = this.#records) {
    const seconds = (performance.now() - this.#begun) / 1000;
    const { user, system } = process.cpuUsage(this.#cpu);
    const cpu = (user + system) / 1e6;
    this.#resolve({
      records,
      seconds,
      rate: records / seconds,
      cpuPerMillion: (cpu / records) * 1e6,
      ...(this.#mainCpu !== undefined && {
        mainCpuPerMillion: ((mainThreadSeconds() - this.#mainCpu) / records) * 1e6,
      }),
      ...(this.#brokerCpu !== undefined && {
        brokerCpuPerMillion: ((secondsOf(this.#brokerPid) - this.#brokerCpu) / records) * 1e6,
      }),
      peakMb: process.resourceUsage().maxRSS / 1024,
      ...(this.#marks.length > 0 && { marks: this.#marks }),
      ...extra,
    });
  }

  /**
   * Makes calls that send `size` records each, `concurrency` of them at a time, and counts what was
   * acknowledged. `call` gets the number of the first record.
   */
  async calls(concurrency, size, call) {
    this.onTimeOver = () => {};
    this.start();
    let next = 0;
    const work = async () => {
      while (next < this.#limit && !this.#over) {
        const first = next;
        next += size;
        await call(first);
        this.#records += size;
      }
    };
    await Promise.all(Array.from({ length: concurrency }, work));
    this.finish();
  }

  /** The items over and over, until there are enough or the time is over; then `finish` it. */
  *cycle(items) {
    this.onTimeOver = () => {};
    this.start();
    while (this.#records < this.#limit && !this.#over) {
      yield items[this.#records % items.length];
      this.#records += 1;
      if (this.#records === this.#nextMark) this.#mark();
      // A source that never lets the event loop turn would never see the time.
      if (this.#records % 1024 === 0) this.#over ||= performance.now() - this.#begun > this.#seconds * 1000;
    }
  }

  /** Calls one after the other; the result has the percentiles of how long each took, in milliseconds. */
  async latencies(call) {
    this.onTimeOver = () => {};
    this.start();
    const times = [];
    while (!this.#over && times.length < this.#limit) {
      const begun = performance.now();
      await call(times.length);
      times.push(performance.now() - begun);
    }
    this.#records = times.length;
    this.finish(percentiles(times));
  }
}

/** What the main thread, where JavaScript runs, has computed; `undefined` where only Linux would say. */
function mainThreadSeconds() {
  try {
    return Number(readFileSync(`/proc/self/task/${process.pid}/schedstat`, "utf8").split(" ")[0]) / 1e9;
  } catch {
    return undefined;
  }
}

/** What another process has computed, in hundredths; `undefined` where only Linux would say. */
function secondsOf(pid) {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    // From the third on: the second is a name in brackets.
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    return (Number(fields[11]) + Number(fields[12])) / 100;
  } catch {
    return undefined;
  }
}

export function percentiles(times) {
  times.sort((a, b) => a - b);
  const at = (share) => times[Math.min(times.length - 1, Math.floor(times.length * share))];
  return { p50: at(0.5), p99: at(0.99), p999: at(0.999), max: times.at(-1) };
}
