// node-opcua as a server: node opcua_server.mjs PACKAGES FOLDER PORT ROWS. FOLDER keeps its certificate and those that
// it trusts; PORT 0: any. ROWS is JSON: {name: [type, value, access]}, access "r", "rw", or what a write is worth:
// "keep" (it is taken and changes nothing), "note" (it is written down), "bad" (there is no value). Beside them stands
// the object Oven with the method Start(UInt16) -> Double.
//
// It prints its address. Then, for each line of its input, an answer in JSON: `get NAME`, `set NAME VALUE`, `noted`,
// `forget`, `sessions` (which there are). It ends with its input.

import { createRequire } from "node:module";
import { createInterface } from "node:readline";

const [packages, folder, port, rows] = process.argv.slice(2);
const say = (text) => process.stdout.write(text + "\n");
console.log = console.warn = console.info = console.debug = console.error;
const opcua = createRequire(packages + "/")("node-opcua");
const { DataType, StatusCodes, Variant, VariantArrayType } = opcua;

const noted = [];
const cells = new Map();

/** A value as JSON has it; one of 64 bits, for which node-opcua has two numbers of 32, as text. */
function plain({ type, variable }) {
  const { value } = variable.readValue().value;
  if (!Array.isArray(value)) return value;
  const bits = (BigInt(value[0]) << 32n) | BigInt(value[1]);
  return String(type === DataType.Int64 ? BigInt.asIntN(64, bits) : bits);
}

function add(namespace, name, [type, value, access]) {
  const variable = namespace.addVariable({
    organizedBy: namespace.addressSpace.rootFolder.objects,
    nodeId: `s=${name}`,
    browseName: name,
    dataType: type,
    accessLevel: access === "r" || access === "bad" ? "CurrentRead" : "CurrentRead | CurrentWrite",
    minimumSamplingInterval: 10,
  });
  const cell = { variable, type: DataType[type], value };
  cells.set(name, cell);
  show(cell, access === "bad" ? StatusCodes.BadSensorFailure : StatusCodes.Good);
  if (access === "keep") {
    const get = () => new Variant({ dataType: cell.type, value });
    variable.bindVariable({ get, set: () => StatusCodes.Good }, true);
  }
  if (access === "note") variable.on("value_changed", (data) => noted.push(data.value.value));
}

/** An object `Oven` with a method `Start`: it notes what it is given, and answers with the half of it. */
function addMethod(namespace) {
  const { objects } = namespace.addressSpace.rootFolder;
  const oven = namespace.addObject({ organizedBy: objects, nodeId: "s=Oven", browseName: "Oven" });
  const method = namespace.addMethod(oven, {
    nodeId: "s=Start",
    browseName: "Start",
    inputArguments: [{ name: "given", dataType: DataType.UInt16 }],
    outputArguments: [{ name: "half", dataType: DataType.Double }],
  });
  method.bindMethod(([given], _context, answer) => {
    if (given.value === 0) return answer(null, { statusCode: StatusCodes.BadInvalidState });
    noted.push(given.value);
    const half = { dataType: DataType.Double, value: given.value / 2 };
    answer(null, { statusCode: StatusCodes.Good, outputArguments: [half] });
  });
}

function show({ variable, type, value: given }, status) {
  const value = type === DataType.Int64 || type === DataType.UInt64 ? [0, given] : given;
  variable.setValueFromSource({ dataType: type, arrayType: VariantArrayType.Scalar, value }, status);
}

const server = new opcua.OPCUAServer({
  port: Number(port),
  hostname: "127.0.0.1",
  resourcePath: "/oven/",
  serverCertificateManager: new opcua.OPCUACertificateManager({ rootFolder: folder }),
  userCertificateManager: new opcua.OPCUACertificateManager({ rootFolder: folder, name: "users" }),
  securityModes: [opcua.MessageSecurityMode.None, opcua.MessageSecurityMode.SignAndEncrypt],
  securityPolicies: [opcua.SecurityPolicy.None, opcua.SecurityPolicy.Basic256Sha256],
  userManager: { isValidUser: (name, password) => name === "operator" && password === "secret" },
});
await server.initialize();
server.engine.addressSpace.registerNamespace("urn:test:other");
const namespace = server.engine.addressSpace.registerNamespace("urn:test:oven");
for (const [name, row] of Object.entries(JSON.parse(rows))) add(namespace, name, row);
addMethod(namespace);
noted.length = 0;
await server.start();
// It throws where nobody catches when a client is gone just after it was let in; that would end it for all later tests.
process.on("uncaughtException", (error) => console.error(error));
say(`opc.tcp://127.0.0.1:${server.endpoints[0].port}/oven/`);

const ANSWERS = {
  get: (name) => plain(cells.get(name)),
  set: (name, text) => show({ ...cells.get(name), value: JSON.parse(text) }, StatusCodes.Good),
  noted: () => noted,
  forget: () => void (noted.length = 0),
  sessions: () => Object.values(server.engine._sessions).map((session) => session.nodeId.toString()),
};
for await (const line of createInterface({ input: process.stdin })) {
  const [name, ...words] = line.trim().split(" ");
  say(JSON.stringify(ANSWERS[name](...words) ?? null));
}
process.exit(0);
