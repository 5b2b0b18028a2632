// One measurement in a process of its own: node measure.mjs '{"peer":"kafkajs","call":"consumeEach",…}'.
// The last line it prints is the result; whoever started it then ends it.
import { setTimeout as sleep } from "node:timers/promises";
import { Meter, percentiles } from "./meter.mjs";

const job = JSON.parse(process.argv[2]);
const meter = new Meter(job);
const begunImport = performance.now();
const peer = await import(`./peers/${job.peer}.mjs`);
const importMs = performance.now() - begunImport;

const calls = { endToEnd, startUp };
const call = calls[job.call] ?? ((given) => peer[job.call](given));
const result = await Promise.race([call({ ...job, meter, handlerMs: job.handlerMs ?? 0 }), meter.finished]);
console.log(`\nRESULT ${JSON.stringify(result ?? (await meter.finished))}`);

/** From the call that sends to the handler that receives, at a steady rate. */
async function endToEnd() {
  const times = [];
  let measuring = false;
  let received = 0;
  let probed;
  const probe = new Promise((resolve) => {
    probed = resolve;
  });
  // The clock of `when` counts from the start of this process, in milliseconds.
  const onValue = ({ name, ok, when }) => {
    if (!ok) return probed();
    // What a peer sent to warm up.
    if (name !== value.name) return;
    if (measuring) times.push(performance.now() - when);
    received += 1;
  };
  const value = { id: 0, name: "measured", course: "Data Engineering", when: 0, ok: false, note: "" };
  const send = await peer.latency(job, onValue);
  let answered = false;
  void probe.then(() => {
    answered = true;
  });
  while (!answered) {
    await send([{ ...value, id: 0 }]);
    await sleep(100);
  }

  const begun = performance.now();
  const warmUpMs = Math.min(1_000, job.seconds * 300);
  const endsAt = job.seconds * 1000 + warmUpMs;
  const wanted = (job.rate * endsAt) / 1000;
  let sent = 0;
  let cpu;
  await new Promise((resolve, reject) => {
    const tick = () => {
      const now = performance.now();
      if (!measuring && now - begun > warmUpMs) {
        measuring = true;
        cpu = process.cpuUsage();
      }
      const due = Math.min(wanted, Math.floor(((now - begun) * job.rate) / 1000));
      const values = [];
      for (; sent < due; sent += 1) {
        // A late turn of the event loop counts against the client; a timer's own millisecond does not.
        const intended = begun + ((sent + 1) * 1000) / job.rate;
        values.push({ ...value, id: sent % 10_000, ok: true, when: now - intended > 2 ? intended : now });
      }
      if (values.length > 0) Promise.resolve(send(values)).catch(reject);
      if (sent < wanted) setTimeout(tick, 1);
      else resolve();
    };
    tick();
  });
  const { user, system } = process.cpuUsage(cpu);
  const deadline = performance.now() + 3_000;
  while (received < sent && performance.now() < deadline) await sleep(5);
  const missing = sent - received;
  // What has not arrived 3 s after the last was sent took at least as long.
  for (let late = 0; late < missing; late += 1) times.push(3_000);
  return {
    ...percentiles(times),
    records: times.length,
    missing,
    cores: (user + system) / 1000 / (job.seconds * 1000),
  };
}

/** How long an import takes, and how long it is from the start of the process to the first acknowledged record. */
async function startUp() {
  await peer.sendOne(job);
  return { importMs, firstMs: performance.now(), peakMb: process.resourceUsage().maxRSS / 1024 };
}
