/// What people may ask of a running service. The service's shell implements it; the control socket and tests call it.
package protocol ServiceControl: Sendable {
    func status() async -> ServiceStatus

    /// Stops sending, deleting and moving of files from a folder, or from all. A paused folder stays paused across
    /// restarts.
    ///
    /// - Parameter folder: the name of a folder; `nil` for all.
    func pause(_ folder: String?) async throws(ControlRefusal)

    func unpause(_ folder: String?) async throws(ControlRefusal)

    /// Scans a folder, or all, as soon as possible.
    func rescan(_ folder: String?) async throws(ControlRefusal)

    /// Tries items again that wait, are quarantined, or have a key that is taken.
    ///
    /// - Parameter ids: items as the status names them; empty for all.
    /// - Returns: how many items are tried.
    func retry(_ ids: [String]) async throws(ControlRefusal) -> Int

    /// Waits until every file that was pending when the call began is proven, quarantined, or gone. A client that waits
    /// may leave: the task is then cancelled, and the call ends with a refusal.
    ///
    /// - Returns: how many files could not be proven.
    func flush() async throws(ControlRefusal) -> Int

    /// Reads the settings again. If they cannot be used, those in force stay.
    func reload() async throws(ControlRefusal)
}

/// Why the service does not do what it was asked: a sentence for people.
package struct ControlRefusal: Error, Equatable, Sendable {
    package var message: String

    package init(_ message: String) {
        self.message = message
    }
}
