/**
 * What the playground's server and this page say to each other. No code, only types.
 *
 * @typedef {object} User
 * @property {string} id
 * @property {string} name
 * @property {string} real_name
 * @property {string} [initials]
 * @property {string} [color] hex, with or without "#"
 * @property {boolean} [is_admin]
 * @property {boolean} [is_bot]
 * @property {string} [locale]
 *
 * @typedef {object} Channel
 * @property {string} id
 * @property {string} name
 * @property {boolean} [is_im]
 * @property {boolean} [is_private]
 * @property {string} [topic]
 * @property {string[]} [members]
 * @property {string} [with_user] the other person of a direct message
 *
 * @typedef {{name: string, users: string[], count: number}} Reaction
 * @typedef {{id?: string, name?: string, title?: string, mimetype?: string, size?: number,
 *   url_private?: string, permalink?: string}} Attachment
 *
 * @typedef {object} Message
 * @property {string} ts
 * @property {string} [thread_ts]
 * @property {string} channel
 * @property {string} user
 * @property {boolean} [bot]
 * @property {string} [username] a name that the app gave itself for this message
 * @property {boolean} [broadcast] a reply that is shown in the channel, too
 * @property {string} [text] Slack's mrkdwn
 * @property {Block[]} [blocks]
 * @property {Reaction[]} [reactions]
 * @property {boolean} [edited]
 * @property {boolean} [ephemeral]
 * @property {boolean} [streaming]
 * @property {string} [stream_markdown] everything streamed so far
 * @property {number} [reply_count]
 * @property {Attachment[]} [files]
 *
 * @typedef {{[field: string]: any, type: string, block_id?: string}} Block
 * @typedef {{[field: string]: any, type: string, action_id?: string}} Element
 * @typedef {{type: string, text: string}} TextObject
 * @typedef {{text: TextObject, value: string, description?: TextObject}} Option
 * @typedef {{[field: string]: any, type: string, action_id: string, block_id: string}} Action
 *
 * @typedef {object} View
 * @property {string} id
 * @property {string} type "modal" or "home"
 * @property {TextObject} [title]
 * @property {TextObject} [submit]
 * @property {TextObject} [close]
 * @property {Block[]} blocks
 * @property {{values?: Values}} [state]
 *
 * @typedef {{title: string, message: string}} Prompt
 * @typedef {{title?: string, prompts: Prompt[]}} Prompts
 * @typedef {{status: string, loading: string[], since: number}} Status
 * @typedef {{command: string, description?: string, usage_hint?: string,
 *   should_escape?: boolean}} Command
 * @typedef {{callback_id: string, name: string}} Shortcut
 *
 * @typedef {{[blockId: string]: {[actionId: string]: any}}} Values a modal's input
 */
export {};
