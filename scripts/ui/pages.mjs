// Every page, and how to tell that it is filled.
export const pages = [
  { name: 'overview', title: 'Overview', ready: '.tile dd:has-text("10,000")' },
  { name: 'connections', title: 'Connections', ready: 'tbody tr:nth-child(50)' },
  { name: 'subjects', title: 'Subjects in use', ready: 'tbody tr:nth-child(20)' },
  { name: 'accounts', title: 'Accounts', ready: 'tbody tr:nth-child(4)' },
  { name: 'streams', title: 'Streams', ready: 'tbody tr:nth-child(3)' },
  { name: 'routes', title: 'Routes', ready: '.mesh circle.self' },
  { name: 'config', title: 'Configuration', ready: 'tbody tr:nth-child(4)' },
  { name: 'log', title: 'Log', ready: '.log li:nth-child(100)' },
  { name: 'health', title: 'Health', ready: '.checks li' },
];
