package import TransferCommon

/// What the owner of a `Removal` does next.
package enum RemovalEffect: Hashable, Sendable {
    case step(RemovalStep)
    /// The gateway is asked for the object.
    case ask
    /// The journal gets both names.
    case recordNames
    /// The journal gets the end: the file is gone.
    case recordEnd
    /// The journal gets that the file has its name again, under `path`.
    case recordReturn
    case wait(until: Instant)
    case ended(RemovalVerdict)
    case nothing
}

/// How a removal ends.
package enum RemovalVerdict: Hashable, Sendable {
    case removed
    /// The file is what was proven, and stays for now.
    case keep(RemovalRefusal)
    /// The file is not what was proven: it settles anew.
    case changed
    case missing
    /// The store does not have what was proven.
    case notStored
}

/// Why a proven file is not removed now.
package enum RemovalRefusal: Hashable, Sendable {
    case gatewayUnreachable
    case gatewayCannotTell
    case interrupted
    /// - reason: the words of the system.
    case failed(String)

    /// The reason for people.
    package var words: String {
        switch self {
        case .gatewayUnreachable: "the gateway cannot be asked for the object"
        case .gatewayCannotTell: "the gateway cannot tell whether the object has this content"
        case .interrupted: "the removal was interrupted"
        case .failed(let reason): "the system refuses: \(reason)"
        }
    }
}
