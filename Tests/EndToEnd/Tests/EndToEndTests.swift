import Testing

/// Runs the built programs as a user does, with real processes, files and sockets.
///
/// The tests run one after another. Each of them starts several programs, which need enough processor time to meet
/// their time limits.
@Suite(.serialized, .timeLimit(.minutes(6)))
enum EndToEndTests {}
