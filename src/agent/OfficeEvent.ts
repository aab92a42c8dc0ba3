/**
 * What happens in the Agent's office, as it hears of it (specification, events).
 */
import type { Notification } from "../protocol/NotifyEvent.ts"

/** One event in the office. */
export type OfficeEvent =
  | { readonly _tag: "ComputerEntered"; readonly computer: string }
  | { readonly _tag: "ComputerLeft"; readonly computer: string }
  | { readonly _tag: "ToolsChanged"; readonly computer: string }
  | { readonly _tag: "ConfigChanged"; readonly computer: string }
  | { readonly _tag: "DesktopChanged"; readonly computer: string }
  | { readonly _tag: "SkillsChanged"; readonly computer: string }

/** Reads a notification; undefined when it says nothing about a Computer of this office. */
export const fromNotification = (officeId: string, notification: Notification): OfficeEvent | undefined => {
  switch (notification.event) {
    case "notify:enter_office":
    case "notify:leave_office": {
      const { computer, office_id } = notification.payload
      if (office_id !== officeId || computer === undefined || computer === null) return undefined
      return { _tag: notification.event === "notify:enter_office" ? "ComputerEntered" : "ComputerLeft", computer }
    }
    case "notify:update_tool_list":
      return { _tag: "ToolsChanged", computer: notification.payload.computer }
    case "notify:update_config":
      return { _tag: "ConfigChanged", computer: notification.payload.computer }
    case "notify:update_desktop":
      return { _tag: "DesktopChanged", computer: notification.payload.computer }
    case "notify:update_skills":
      return { _tag: "SkillsChanged", computer: notification.payload.computer }
    case "notify:tool_call_cancel":
      return undefined
  }
}
