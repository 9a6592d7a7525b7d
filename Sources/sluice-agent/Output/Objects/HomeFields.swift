import AgentKit
import CommandSupport

// The objects of init and digest, and those of receipts that are no receipts.

/// A home that init has made.
enum HomeFields: String, JSONFields {
    case home, fingerprint, device, prefix, known
    case certificateRequest = "certificate_request"
    case certificate

    static let event = "home"
    static let meaning = "The home that was made, or that trusts another gateway now."

    var declaration: JSONField {
        let invited = "the device was invited"
        let certified = "an authority identifies the gateway"
        return switch self {
        case .home: .always(.string, "the directory")
        case .fingerprint: .always(.string, "the fingerprint of the device's key")
        case .device: .only(invited, .string, "the device's name at the gateway")
        case .prefix: .only(invited, .string, "with what the device's keys begin; empty if it may write any key")
        case .known: .only(invited, .boolean, "whether the home was enrolled before; the invitation is then not used")
        case .certificateRequest: .only(certified, .string, "the file that the authority has to sign")
        case .certificate: .only(certified, .string, "the file whose place the signed certificate takes")
        }
    }
}

extension JSONObject<HomeFields> {
    /// - Parameters:
    ///   - registration: the device's entry in the gateway's list, if it was invited.
    ///   - isCertified: whether an authority identifies the gateway, and has to sign the device's certificate.
    init(
        home: String, _ fingerprint: String, _ registration: Enroller.Registration? = nil, isCertified: Bool = false
    ) {
        self.init([
            .home: .string(home), .fingerprint: .string(fingerprint),
            .device: registration.map { .string($0.name) }, .prefix: registration.map { .string($0.prefix) },
            .known: registration.map { .boolean($0.wasKnown) },
            .certificateRequest: isCertified ? .string("\(home)/identity.csr") : nil,
            .certificate: isCertified ? .string("\(home)/identity.crt") : nil,
        ])
    }
}

/// The digests of a file.
enum DigestFields: String, JSONFields {
    case path, size, sha256, root
    case partSize = "part_size"

    static let event = "digest"
    static let meaning = "The digests of the file."

    var declaration: JSONField {
        switch self {
        case .path: .always(.string, "the file as it was named")
        case .size: .always(.integer, "bytes of the file")
        case .sha256: .always(.string, "SHA-256 of the file")
        case .root: .always(.string, "the root digest of the file")
        case .partSize: .always(.integer, "bytes of a part, on which `root` depends")
        }
    }
}

extension JSONObject<DigestFields> {
    /// - Parameter path: the file as the user named it.
    init(_ digests: FileDigests, of path: String) {
        self.init([
            .path: .string(path), .size: .count(digests.bytes), .sha256: .string("\(digests.whole)"),
            .root: .string("\(digests.root)"), .partSize: .count(digests.partBytes),
        ])
    }
}

/// A receipt that receipts export has written.
enum ExportedFields: String, JSONFields {
    case path, key

    static let event = "exported"
    static let meaning = "A receipt was written to a file."

    var declaration: JSONField {
        switch self {
        case .path: .always(.string, "the file")
        case .key: .only("the receipt can be read", .string, "the object's key in the store")
        }
    }
}

/// The sums of the commands for receipts.
enum ReceiptSummaryFields: String, JSONFields {
    case receipts, refused, unreadable

    static let event = "summary"
    static let meaning = "The sums. This is the last line."

    var declaration: JSONField {
        switch self {
        case .receipts: .always(.integer, "receipts")
        case .refused: .only("the command verifies receipts", .integer, "receipts that are not valid")
        case .unreadable: .only("the command lists receipts", .integer, "receipts that cannot be read")
        }
    }
}

/// What receipts prune has removed.
enum PrunedFields: String, JSONFields {
    case receipts, proofs

    static let event = "pruned"
    static let meaning = "What was removed."

    var declaration: JSONField {
        switch self {
        case .receipts: .always(.integer, "receipts")
        case .proofs: .always(.integer, "the agent's own proofs")
        }
    }
}
