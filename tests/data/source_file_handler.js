// What the history of a source file (redis-history.ndjson.zst) comes to. tests/independent/source_file_state.py computes
// the same from the file itself.
(() => {
  const count = (state, event, exists) => {
    const { commit, subject, linesAdded = 0, linesRemoved = 0, binary = false } = event.data;
    state.exists = exists;
    state.changes += 1;
    state.linesAdded += linesAdded;
    state.linesRemoved += linesRemoved;
    if (binary) state.binaryChanges += 1;
    state.authors[event.userId] = (state.authors[event.userId] || 0) + 1;
    const made = { commit, author: event.userId, occurredAt: event.occurredAt };
    if (state.first === null) state.first = made;
    state.last = { ...made, subject };
  };
  return {
    $init: () => ({
      exists: false, changes: 0, linesAdded: 0, linesRemoved: 0, binaryChanges: 0, authors: {}, renames: [],
      first: null, last: null,
    }),
    FileDeleted: (state, event) => count(state, event, false),
    FileRenamed: (state, event) => {
      const { from, similarity } = event.data;
      state.renames.push({ from, similarity, number: event.sequenceNumber });
      count(state, event, true);
    },
    $any: (state, event) => count(state, event, true),
  };
})();
