// Starts the program that is named, in a directory of its own, and ends it.
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

// start resolves to where the program listens and to its administrator's token.
export async function start(path) {
  const data = mkdtempSync(join(tmpdir(), 'tocsin-wire-'));
  const child = spawn(path, ['serve', '--data', data, '--listen', '127.0.0.1:0'], { stdio: ['ignore', 'pipe', 'pipe'] });
  const ended = new Promise((resolve) => child.on('exit', resolve));
  const stop = async () => {
    child.kill();
    await ended;
    rmSync(data, { recursive: true });
  };
  const read = (stream, pattern) => new Promise((resolve, reject) => {
    let text = '';
    stream.on('data', (chunk) => {
      text += chunk;
      const found = pattern.exec(text);
      if (found) resolve(found[1]);
    });
    ended.then((code) => reject(new Error(`the program ended with ${code}: ${text}`)));
  });
  const [token, address] = await Promise.all([read(child.stdout, /(tocsin_\S+)\s/), read(child.stderr, /address=(\S+)/)]);
  return { url: `http://${address}/graphql`, token, stop };
}
