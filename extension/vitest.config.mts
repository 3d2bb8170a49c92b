import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';

// Only VS Code itself has a module `vscode`; tests get one written by hand.
const alias = { vscode: fileURLToPath(new URL('./tests/support/fake-vscode.ts', import.meta.url)) };

export default defineConfig({
  test: {
    projects: [
      { resolve: { alias }, test: { name: 'unit', include: ['tests/unit/**/*.test.ts'] } },
      {
        resolve: { alias },
        test: {
          name: 'integration',
          include: ['tests/integration/**/*.test.ts'],
          // Each file has a portal of its own; more at a time would only slow each other down.
          maxWorkers: 2,
          sequence: { groupOrder: 1 },
          testTimeout: 60_000,
          hookTimeout: 120_000,
        },
      },
    ],
  },
});
