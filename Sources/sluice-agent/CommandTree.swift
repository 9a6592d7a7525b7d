import ArgumentParser

/// All commands of the program with their flags, for tests.
package enum AgentCommandTree {
    /// The description that the option `--experimental-dump-help` prints, in JSON.
    package static var json: String { SluiceAgent._dumpHelp() }
}
