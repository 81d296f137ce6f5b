/** Progress of long work, on stderr, and only when that is a terminal. */
import { setImmediate } from "node:timers/promises";
import ora from "ora";

const INTERVAL_MS = 80;

/** Runs `work`; what it passes to `report` is shown beside a spinner, which has time to turn whenever `report` is awaited. */
export async function withProgress<T>(
  label: string,
  work: (report: (text: string) => Promise<void>) => Promise<T>,
): Promise<T> {
  const spinner = ora({ text: label, discardStdin: false, isSilent: !process.stderr.isTTY }).start();
  let last = performance.now();
  try {
    return await work(async (text) => {
      if (performance.now() - last < INTERVAL_MS) return;
      spinner.text = `${label}: ${text}`;
      await setImmediate();
      spinner.render();
      last = performance.now();
    });
  } finally {
    spinner.stop();
  }
}
