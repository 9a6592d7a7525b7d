import AgentService
import CommandSupport

// The objects of status if a service runs in the home.

/// A watched folder.
enum FolderFields: String, JSONFields {
    case name, path, state, reason, pending
    case pendingBytes = "pending_bytes"
    case oldestSeconds = "oldest_seconds"
    case sending, troubles, proven
    case provenSinceStart = "proven_since_start"
    case removedSinceStart = "removed_since_start"
    case lastProven = "last_proven"
    case freeBytes = "free_bytes"

    static let event = "folder"
    static let meaning = "A folder that the running service watches."

    var declaration: JSONField {
        switch self {
        case .name: .always(.string, "the folder's name in the settings")
        case .path: .always(.string, "the directory")
        case .state: .always(.word(["sending", "idle", "waiting", "paused", "failed"]), "what the folder is doing")
        case .reason: .only("it makes no progress", .string, "why, for people")
        case .pending: .always(.integer, "files that are not proven")
        case .pendingBytes: .always(.integer, "bytes of the files that are not proven")
        case .oldestSeconds: .only("a file is pending", .integer, "for how long the oldest one has been known")
        case .sending: .always(.integer, "files that are being sent")
        case .troubles: .always(.integer, "files that wait for another attempt or need a decision")
        case .proven: .always(.integer, "files that are proven and still there")
        case .provenSinceStart: .always(.integer, "files that were proven since the service began")
        case .removedSinceStart: .always(.integer, "files that were deleted or moved since the service began")
        case .lastProven: .only("one was proven since the service began", .string, "the file that was proven last")
        case .freeBytes: .only("the system tells", .integer, "free bytes of the file system")
        }
    }
}

/// A file that is being sent.
enum SendingFields: String, JSONFields {
    case folder, id, path, key, size, stored, sent

    static let event = "sending"
    static let meaning = "A file that the running service sends now."

    var declaration: JSONField {
        switch self {
        case .folder: .always(.string, "the folder's name")
        case .id: .always(.string, "the file's id, which `retry` takes")
        case .path: .always(.string, "the file below the folder")
        case .key: .always(.string, "the key of its object")
        case .size: .always(.integer, "bytes of the file")
        case .stored: .always(.integer, "bytes that are stored")
        case .sent: .always(.integer, "bytes that were sent in this run, also those that were sent again")
        }
    }
}

/// A file that makes no progress by itself.
enum TroubleFields: String, JSONFields {
    case folder, id, path, state, reason

    static let event = "trouble"
    static let meaning = "A file that waits or needs a decision. Of each folder, only the first ones are listed."

    var declaration: JSONField {
        switch self {
        case .folder: .always(.string, "the folder's name")
        case .id: .always(.string, "the file's id, which `retry` takes")
        case .path: .always(.string, "the file below the folder")
        case .state: .always(.word(["waiting", "taken", "unmarked", "quarantined"]), "the state of the file")
        case .reason: .always(.string, "why, for people")
        }
    }
}

/// The service.
enum ServiceFields: String, JSONFields {
    case software
    case uptimeSeconds = "uptime_seconds"
    case gateway, pause, rate, schedule
    case settingsProblem = "settings_problem"
    case folders, pending
    case pendingBytes = "pending_bytes"
    case troubles

    static let event = "service"
    static let meaning = "The running service, with the sums of its folders. This is the last line."

    var declaration: JSONField {
        switch self {
        case .software: .always(.string, "name and version of the program")
        case .uptimeSeconds: .always(.integer, "for how long it has run")
        case .gateway: .always(.string, "the gateway's address")
        case .pause: .only("nothing is sent now", .string, "why, for people")
        case .rate: .only("the rate is limited now", .integer, "bytes per second")
        case .schedule: .always(.string, "what the schedule says, for people")
        case .settingsProblem: .only("the last reload has failed", .string, "why, for people")
        case .folders: .always(.integer, "folders")
        case .pending: .always(.integer, "files that are not proven")
        case .pendingBytes: .always(.integer, "bytes of the files that are not proven")
        case .troubles: .always(.integer, "files that wait for another attempt or need a decision")
        }
    }
}

extension JSONObject<FolderFields> {
    init(_ folder: ServiceStatus.Folder) {
        self.init([
            .name: .string(folder.name), .path: .string(folder.path), .state: .string(folder.state),
            .reason: folder.reason.map { .string($0) }, .pending: .count(folder.pending),
            .pendingBytes: .count(folder.pendingBytes), .oldestSeconds: folder.oldestSeconds.map { .count($0) },
            .sending: .count(folder.sending.count), .troubles: .count(folder.troubleCount),
            .proven: .count(folder.proven), .provenSinceStart: .count(folder.provenSinceStart),
            .removedSinceStart: .count(folder.removedSinceStart), .lastProven: folder.lastProven.map { .string($0) },
            .freeBytes: folder.freeBytes.map { .count($0) },
        ])
    }
}

extension JSONObject<SendingFields> {
    init(_ file: ServiceStatus.Sending, of folder: ServiceStatus.Folder) {
        self.init([
            .folder: .string(folder.name), .id: .string(file.id), .path: .string(file.path), .key: .string(file.key),
            .size: .count(file.bytes), .stored: .count(file.storedBytes), .sent: .count(file.sentBytes),
        ])
    }
}

extension JSONObject<TroubleFields> {
    init(_ trouble: ServiceStatus.Trouble, of folder: ServiceStatus.Folder) {
        self.init([
            .folder: .string(folder.name), .id: .string(trouble.id), .path: .string(trouble.path),
            .state: .string(trouble.state), .reason: .string(trouble.reason),
        ])
    }
}

extension JSONObject<ServiceFields> {
    init(_ status: ServiceStatus) {
        self.init([
            .software: .string(status.software), .uptimeSeconds: .count(status.uptimeSeconds),
            .gateway: .string(status.gateway), .pause: status.pause.map { .string($0) },
            .rate: status.bytesPerSecond.map { .count($0) }, .schedule: .string(status.schedule),
            .settingsProblem: status.settingsProblem.map { .string($0) }, .folders: .count(status.folders.count),
            .pending: .count(status.folders.reduce(0) { $0 + $1.pending }),
            .pendingBytes: .count(status.folders.reduce(UInt64(0)) { $0.addingReportingOverflow($1.pendingBytes).0 }),
            .troubles: .count(status.folders.reduce(0) { $0 + $1.troubleCount }),
        ])
    }
}
