/// What a running service tells about itself: the answer to `GET /v1/status` on the control socket.
///
/// The names of the properties are the fields of the JSON. Documentation/service.md lists them.
package struct ServiceStatus: Codable, Equatable, Sendable {
    /// A file that is being sent.
    package struct Sending: Codable, Equatable, Sendable {
        /// The item, as `retry` takes it: `FOLDER:PLACE.GENERATION`.
        package var id: String
        package var key: String
        package var path: String
        /// The size of the file in bytes.
        package var bytes: UInt64
        /// Bytes that the store has confirmed.
        package var storedBytes: UInt64
        /// Bytes that were sent in this run, including those sent again.
        package var sentBytes: UInt64

        package init(id: String, key: String, path: String, bytes: UInt64, storedBytes: UInt64, sentBytes: UInt64) {
            self.id = id
            self.key = key
            self.path = path
            self.bytes = bytes
            self.storedBytes = storedBytes
            self.sentBytes = sentBytes
        }
    }

    /// A file that cannot be sent without a person, or that waits for another attempt.
    package struct Trouble: Codable, Equatable, Sendable {
        /// The item, as `retry` takes it.
        package var id: String
        package var path: String
        /// The state of the item: `waiting`, `taken`, `unmarked` or `quarantined`.
        package var state: String
        /// The reason, a sentence for people.
        package var reason: String

        package init(id: String, path: String, state: String, reason: String) {
            self.id = id
            self.path = path
            self.state = state
            self.reason = reason
        }
    }

    /// A watched folder.
    package struct Folder: Codable, Equatable, Sendable {
        package var name: String
        package var path: String
        /// What the folder is doing: `sending`, `idle`, `waiting`, `paused` or `failed`.
        package var state: String
        /// Why the folder makes no progress; `nil` if it does or has nothing to do.
        package var reason: String?
        /// Files that are not proven.
        package var pending: Int
        /// The total size of the files that are not proven.
        package var pendingBytes: UInt64
        /// For how many seconds the oldest unproven file has been known; `nil` if there is none.
        package var oldestSeconds: Int?
        package var sending: [Sending]
        /// The first troubles; `troubleCount` counts all.
        package var troubles: [Trouble]
        package var troubleCount: Int
        /// Files that are proven and still there.
        package var proven: Int
        /// Files that were proven since the service began.
        package var provenSinceStart: Int
        /// Files that were deleted or moved since the service began.
        package var removedSinceStart: Int
        /// The path that was proven last; `nil` if none was since the service began.
        package var lastProven: String?
        /// The free space of the file system in bytes; `nil` if it is unknown.
        package var freeBytes: UInt64?

        package init(name: String, path: String) {
            self.name = name
            self.path = path
            state = "idle"
            pending = 0
            pendingBytes = 0
            sending = []
            troubles = []
            troubleCount = 0
            proven = 0
            provenSinceStart = 0
            removedSinceStart = 0
        }
    }

    /// Name and version of the program.
    package var software: String
    /// For how many seconds the service has run.
    package var uptimeSeconds: Int
    /// The gateway's address.
    package var gateway: String
    /// Why nothing is sent now; `nil` if files may be sent.
    package var pause: String?
    /// The rate that the schedule allows now, in bytes per second; `nil` for no limit.
    package var bytesPerSecond: UInt64?
    /// What the schedule says, a sentence for people.
    package var schedule: String
    /// Why the settings of the last reload are not in force; `nil` if they are.
    package var settingsProblem: String?
    package var folders: [Folder]

    /// The status in one sentence.
    package var sentence: String {
        let pending = folders.reduce(0) { $0 + $1.pending }
        guard pending > 0 else { return "all files are proven" }
        let files = pending == 1 ? "1 file is pending" : "\(pending) files are pending"
        return pause.map { "\(files); \($0)" } ?? files
    }

    package init(software: String, uptimeSeconds: Int, gateway: String, schedule: String) {
        self.software = software
        self.uptimeSeconds = uptimeSeconds
        self.gateway = gateway
        self.schedule = schedule
        folders = []
    }
}
