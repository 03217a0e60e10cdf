// node-opcua as a client: node opcua_client.mjs PACKAGES FOLDER ADDRESS NAMESPACE. FOLDER keeps its certificate. For each
// line of its input it prints an answer in JSON: `read NAME`, `write NAME TYPE VALUE`, and `until NAME VALUE`, which
// subscribes and waits until the server has told that value.

import { createRequire } from "node:module";
import { createInterface } from "node:readline";

const [packages, folder, address, uri] = process.argv.slice(2);
const say = (answer) => process.stdout.write(JSON.stringify(answer) + "\n");
console.log = console.warn = console.info = console.debug = console.error;
const opcua = createRequire(packages + "/")("node-opcua");
const { AttributeIds, DataType, TimestampsToReturn } = opcua;
const WAIT_MS = 10_000;

const client = opcua.OPCUAClient.create({
  clientCertificateManager: new opcua.OPCUACertificateManager({ rootFolder: folder }),
  connectionStrategy: { maxRetry: 0 },
  endpointMustExist: false,
});
await client.connect(address);
const session = await client.createSession();
const index = (await session.readNamespaceArray()).indexOf(uri);
const nodeId = (name) => `ns=${index};s=${name}`;

async function until(name, wanted) {
  const subscription = await session.createSubscription2({
    requestedPublishingInterval: 50, requestedLifetimeCount: 1000, requestedMaxKeepAliveCount: 10,
    maxNotificationsPerPublish: 100, publishingEnabled: true, priority: 1,
  });
  const item = { nodeId: nodeId(name), attributeId: AttributeIds.Value };
  const asked = { samplingInterval: 20, queueSize: 10, discardOldest: true };
  const monitored = await subscription.monitor(item, asked, TimestampsToReturn.Both);
  const told = [];
  await new Promise((done, failed) => {
    setTimeout(() => failed(new Error(`told only ${told}`)), WAIT_MS).unref();
    monitored.on("changed", (data) => told.push(data.value.value) && data.value.value === wanted && done());
  });
  await subscription.terminate();
  return told.at(-1);
}

const ANSWERS = {
  read: async (name) => {
    const data = await session.read({ nodeId: nodeId(name), attributeId: AttributeIds.Value });
    return [data.statusCode.name, DataType[data.value.dataType], data.value.value];
  },
  write: async (name, type, text) => {
    const value = { dataType: DataType[type], value: JSON.parse(text) };
    return (await session.write({ nodeId: nodeId(name), attributeId: AttributeIds.Value, value: { value } })).name;
  },
  until: (name, text) => until(name, JSON.parse(text)),
};
for await (const line of createInterface({ input: process.stdin })) {
  const [name, ...words] = line.trim().split(" ");
  say(await ANSWERS[name](...words));
}
await session.close();
await client.disconnect();
process.exit(0);
