// modbus-serial as a server: node modbus_server.mjs PACKAGES UNIT AT=NUMBER... It prints its address; for each number
// on its input it prints what that holding register holds; it ends with its input.

import { createRequire } from "node:module";
import { createInterface } from "node:readline";

const [packages, unit, ...rows] = process.argv.slice(2);
const { ServerTCP } = createRequire(packages + "/")("modbus-serial");
const registers = new Map(rows.map((row) => row.split("=").map(Number)));
const vector = {
  getHoldingRegister: (at) => registers.get(at) ?? 0,
  setRegister: (at, value) => void registers.set(at, value),
};

const server = new ServerTCP(vector, { host: "127.0.0.1", port: 0, unitID: Number(unit) });
server.on("initialized", () => console.log(`modbus://127.0.0.1:${server._server.address().port}?unit=${unit}`));
server.on("socketError", () => {}); // a client that hangs up is no reason to end
for await (const line of createInterface({ input: process.stdin })) {
  console.log(vector.getHoldingRegister(Number(line)));
}
process.exit(0);
