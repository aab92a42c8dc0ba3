/**
 * What each command does.
 */
import type { CommandName } from "../ConsoleCommand.ts"
import type { Run } from "../Session.ts"
import * as approvals from "./approvalCommands.ts"
import * as config from "./configCommands.ts"
import { doctor } from "./doctorCommand.ts"
import { help } from "./helpCommand.ts"
import * as inputs from "./inputCommands.ts"
import * as logins from "./loginCommands.ts"
import * as office from "./officeCommands.ts"
import * as prompts from "./promptCommands.ts"
import * as servers from "./serverCommands.ts"
import * as tools from "./toolCommands.ts"

/** By name. Emptying the screen and ending are for whoever has the screen. */
export const handlers: Readonly<Record<Exclude<CommandName, "clear" | "quit">, Run>> = {
  "server list": servers.list,
  "server info": servers.info,
  "server add": servers.add,
  "server rm": servers.remove,
  "server start": servers.start,
  "server stop": servers.stop,
  "server restart": servers.restart,
  "server enable": servers.enable,
  "server disable": servers.disable,
  logs: servers.logs,
  log: servers.log,
  login: logins.login,
  logout: logins.logout,
  tools: tools.tools,
  call: tools.call,
  tc: tools.tc,
  calls: tools.calls,
  cancel: tools.cancel,
  history: tools.history,
  "approvals list": approvals.list,
  "approvals forget": approvals.forget,
  prompts: prompts.list,
  "prompt get": prompts.get,
  desktop: tools.desktop,
  windows: tools.windows,
  "inputs list": inputs.list,
  "inputs get": inputs.get,
  "inputs load": inputs.load,
  "inputs add": inputs.add,
  "inputs rm": inputs.remove,
  "inputs value list": inputs.listValues,
  "inputs value get": inputs.getValue,
  "inputs value set": inputs.setValue,
  "inputs value rm": inputs.removeValue,
  "inputs value clear": inputs.clearValues,
  render: inputs.render,
  "socket connect": office.connect,
  "socket join": office.join,
  "socket leave": office.leave,
  "socket disconnect": office.disconnect,
  "notify update": office.notifyUpdate,
  mcp: config.mcp,
  "config save": config.save,
  status: office.status,
  doctor,
  help
}
