// modbus-serial as a client: node modbus_client.mjs PACKAGES PORT UNIT. Each line of the input is FUNCTION ADDRESS
// COUNT or FUNCTION ADDRESS VALUE... (23: ADDRESS COUNT-TO-READ ADDRESS VALUE...); each line of the output the answer.

import { createRequire } from "node:module";
import { createInterface } from "node:readline";

const [packages, port, unit] = process.argv.slice(2);
const ModbusRTU = createRequire(packages + "/")("modbus-serial");
const client = new ModbusRTU();
const numbers = (answer) => answer.data.map(Number);

const FUNCTIONS = {
  1: (at, count) => client.readCoils(at, count).then((answer) => numbers(answer).slice(0, count)),
  2: (at, count) => client.readDiscreteInputs(at, count).then((answer) => numbers(answer).slice(0, count)),
  3: (at, count) => client.readHoldingRegisters(at, count).then(numbers),
  4: (at, count) => client.readInputRegisters(at, count).then(numbers),
  5: (at, value) => client.writeCoil(at, value !== 0).then(() => []),
  6: (at, value) => client.writeRegister(at, value).then(() => []),
  15: (at, ...values) => client.writeCoils(at, values.map((value) => value !== 0)).then(() => []),
  16: (at, ...values) => client.writeRegisters(at, values).then(() => []),
  23: (from, count, at, ...values) =>
    client.readWriteRegisters(from, count, at, values.length, values).then(numbers),
};

await client.connectTCP("127.0.0.1", { port: Number(port) });
client.setID(Number(unit));
client.setTimeout(2000);
for await (const line of createInterface({ input: process.stdin })) {
  const [code, ...given] = line.trim().split(" ").map(Number);
  try {
    console.log((await FUNCTIONS[code](...given)).join(" "));
  } catch (error) {
    if (error.modbusCode === undefined) throw error;
    console.log(`exception ${error.modbusCode}`);
  }
}
await new Promise((done) => client.close(done));
