// Starting what is looked at: a made-up broker with any number of connections,
// or a real one.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import readline from 'node:readline';

/** fake starts the package's own test binary as a made-up broker. */
export async function fake(connections, base = '') {
  const child = spawn(process.env.UI_FAKE, [], {
    env: { ...process.env, MONITOR_SERVE_FAKE: String(connections), MONITOR_BASE: base }, stdio: ['pipe', 'pipe', 'inherit'],
  });
  const [line] = await once(readline.createInterface(child.stdout), 'line');
  return { url: line, async stop() { child.stdin.end(); if (child.exitCode === null) await once(child, 'exit'); } };
}

async function freePort() {
  const s = createServer().listen(0, '127.0.0.1');
  await once(s, 'listening');
  const { port } = s.address();
  s.close();
  await once(s, 'close');
  return port;
}

/** cluster starts so many brokers with routes to each other; the first one's URL is that of its dashboard. */
export async function cluster(dir, size) {
  const ports = [];
  for (let i = 0; i < size; i++) ports.push(await freePort());
  const routes = ports.map((p) => `"nats-route://127.0.0.1:${p}"`).join(', ');
  const servers = [];
  for (let i = 0; i < size; i++) {
    servers.push(await real(dir, `node-${i + 1}`, `cluster { name: harbour, listen: "127.0.0.1:${ports[i]}", routes: [${routes}], pool_size: 2 }\n`));
  }
  return { url: servers[0].url, servers, async stop() { await Promise.all(servers.map((b) => b.stop())); } };
}

/** real starts nats-broker. */
export async function real(dir, name = 'ui-test', more = 'monitor { user: ops, password: "planted-secret" }\n') {
  const [client, monitor] = [await freePort(), await freePort()];
  writeFileSync(`${dir}/${name}.conf`, `server_name: ${name}\nhost: 127.0.0.1\nport: ${client}\nhttp: "127.0.0.1:${monitor}"\n${more}`);
  const child = spawn(process.env.UI_BROKER, ['-c', `${dir}/${name}.conf`], { stdio: ['ignore', 'ignore', 'pipe'] });
  let said = '';
  for await (const line of readline.createInterface(child.stderr)) {
    said += `${line}\n`;
    if (line.includes('Server is ready')) break;
  }
  if (!said.includes('Server is ready')) throw new Error(`the broker did not start:\n${said}`);
  child.stderr.resume();
  return {
    url: `http://127.0.0.1:${monitor}/ui/`, client,
    async stop() { child.kill('SIGTERM'); if (child.exitCode === null) await once(child, 'exit'); },
  };
}
