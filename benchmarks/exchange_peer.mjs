// The JavaScript client of P1: node exchange_peer.mjs FOLDER SECONDS PORT asks for ten registers as fast as it is answered
// and prints what benchmarks/exchange_client.py prints. FOLDER is where modbus-serial is installed.
import { createRequire } from "node:module";

const [folder, seconds, port] = process.argv.slice(2);
const ModbusRTU = createRequire(`${folder}/node_modules/`)("modbus-serial");
const SETTLING_S = 0.3;

const client = new ModbusRTU();
await client.connectTCP("127.0.0.1", { port: Number(port) });
client.setID(1);

async function ask(until) {
  const took = [];
  for (let last = performance.now(); last < until; ) {
    const answer = await client.readHoldingRegisters(0, 10);
    if (answer.data[9] !== 9) throw new Error("a wrong answer");
    const at = performance.now();
    took.push((at - last) / 1e3);
    last = at;
  }
  return took;
}

await ask(performance.now() + SETTLING_S * 1e3);
const cpu = process.cpuUsage();
const begin = performance.now();
const took = await ask(begin + Number(seconds) * 1e3);
const elapsed = (performance.now() - begin) / 1e3;
const used = process.cpuUsage(cpu);
took.sort((a, b) => a - b);
console.log(JSON.stringify([took.length, elapsed, (used.user + used.system) / 1e6, took[Math.floor(took.length * 0.99)]]));
client.close(() => process.exit(0));
