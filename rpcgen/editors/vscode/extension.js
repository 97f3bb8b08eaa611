// Starts `rpcgen lsp` for .rpc files and hands over what it says. All that is known of the language is in there.
const { workspace, window } = require("vscode");
const { LanguageClient } = require("vscode-languageclient/node");

let client;

async function activate(context) {
  const settings = workspace.getConfiguration("rpcgen");
  const server = { command: settings.get("path", "rpcgen"), args: ["lsp", "--stdio"] };
  const watcher = workspace.createFileSystemWatcher("**/*.rpc");
  context.subscriptions.push(watcher);
  client = new LanguageClient("rpcgen", "rpcgen", server, {
    documentSelector: [{ scheme: "file", language: "rpc" }],
    synchronize: { fileEvents: watcher },
    initializationOptions: { searchPaths: settings.get("searchPaths", []) },
  });
  try {
    await client.start();
  } catch (error) {
    window.showErrorMessage(
      `rpcgen: \`${server.command} lsp\` does not start (${error}). ` +
        "Install it with `cargo install rpcgen-cli`, or set rpcgen.path."
    );
  }
}

function deactivate() {
  return client ? client.stop() : undefined;
}

module.exports = { activate, deactivate };
