import Testing

/// Runs the built programs as a user does, with real processes, files and sockets.
///
/// The tests run one after another, because each starts several programs that depend on sufficient processor time.
@Suite(.serialized, .timeLimit(.minutes(6)))
enum EndToEndTests {}
