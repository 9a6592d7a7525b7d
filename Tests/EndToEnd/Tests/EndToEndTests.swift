import Testing

/// The built programs, run as a user runs them: real processes, files and sockets.
///
/// One after the other: each test starts several programs, and what they do at a moment depends on the time they get.
@Suite(.serialized, .timeLimit(.minutes(3)))
enum EndToEndTests {}
