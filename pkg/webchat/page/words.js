// The page's own words. Sentences about answers come from the server, in the
// language of the question; these are of the browser's language.

const en = {
  conversations: 'Conversations', menu: 'Conversations', new: 'New conversation', recent: 'Recent',
  welcome: 'What would you like to know?',
  'welcome.more': 'Questions take the same way as those from Slack and DingTalk: queue, worker, queue, answer.',
  try: 'Try', ask: 'Ask Parley', send: 'Send', stop: 'Stop',
  keys: 'Enter sends, Shift+Enter begins a new line. “help”, “reset” and “stop” are commands.',
  untitled: 'New conversation', you: 'You', parley: 'Parley',
  sending: 'Sending…', waiting: 'In line…', working: 'Working on it…', stopping: 'Stopping…',
  retry: 'Retry', resend: 'Send again', again: 'Answer anew', copy: 'Copy', copied: 'Copied',
  up: 'Good answer', down: 'Bad answer', sources: 'Sources', source: 'Source', open: 'Open', reference: 'Reference:',
  why: 'What was wrong with it?', thanks: 'Thank you.',
  'complaint.wrong': 'Wrong', 'complaint.outdated': 'Out of date', 'complaint.unsourced': 'No source', 'complaint.long': 'Too long', 'complaint.other': 'Something else',
  forgotten: 'Parley has forgotten what is above', offline: 'Reconnecting…',
  'error.network': 'Parley could not be reached.', 'error.busy': 'Parley could not take the message in.',
  'error.refused': 'Parley did not accept this message from here.', 'error.long': 'The message is too long.',
  tokens: 'tokens',
};

const zh = {
  conversations: '会话', menu: '会话', new: '新会话', recent: '最近',
  welcome: '想了解些什么？',
  'welcome.more': '这里的问题与来自 Slack 和钉钉的问题走同一条路：队列、处理、队列、回答。',
  try: '试试', ask: '向 Parley 提问', send: '发送', stop: '停止',
  keys: 'Enter 发送，Shift+Enter 换行。“帮助”“重置”“停止”是命令。',
  untitled: '新会话', you: '您', parley: 'Parley',
  sending: '正在发送……', waiting: '排队中……', working: '正在处理……', stopping: '正在停止……',
  retry: '重试', resend: '重新发送', again: '重新回答', copy: '复制', copied: '已复制',
  up: '回答得好', down: '回答得不好', sources: '来源', source: '来源', open: '打开', reference: '编号：',
  why: '哪里不好？', thanks: '谢谢。',
  'complaint.wrong': '不正确', 'complaint.outdated': '已过时', 'complaint.unsourced': '没有来源', 'complaint.long': '太长', 'complaint.other': '其他',
  forgotten: 'Parley 已忘记以上内容', offline: '正在重新连接……',
  'error.network': '无法连接到 Parley。', 'error.busy': 'Parley 未能收下这条消息。',
  'error.refused': 'Parley 不接受来自这里的消息。', 'error.long': '消息太长了。',
  tokens: '个词元',
};

const chinese = (navigator.language || '').toLowerCase().startsWith('zh');
const words = chinese ? zh : en;

export const say = (key) => words[key] ?? en[key] ?? key;
export const pageNumber = (n) => (chinese ? `第 ${n} 页` : `p. ${n}`);

// translate replaces the English that the page was served with.
export function translate() {
  document.documentElement.lang = chinese ? 'zh-CN' : 'en';
  for (const e of document.querySelectorAll('[data-t]')) e.textContent = say(e.dataset.t);
  for (const e of document.querySelectorAll('[data-t-label]')) {
    e.setAttribute('aria-label', say(e.dataset.tLabel));
    if (e.matches('button')) e.title = say(e.dataset.tLabel);
  }
  for (const e of document.querySelectorAll('[data-t-placeholder]')) e.placeholder = say(e.dataset.tPlaceholder);
}
