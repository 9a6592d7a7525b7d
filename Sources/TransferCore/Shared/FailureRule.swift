package import WireProtocol

/// The rule for one error code (specification §12): its scopes, the agent's reaction, and the agent's exit code if the
/// code ends an upload.
///
/// `all` is the table of §12 and the only copy in the code; a test compares it with the specification row by row. The
/// gateway reads from it in which scopes it may send a code. The agent reads from it how to react to a code.
package struct FailureRule: Equatable, Sendable {
    /// The scope of a code: one letter of the column *scope*.
    package enum Scope: String, CaseIterable, Sendable {
        case connection = "c"
        case session = "s"
        case part = "p"
    }

    /// The reaction of an agent: one of the words of the column *agent*.
    package enum Reaction: String, CaseIterable, Sendable {
        /// Ends the upload and reports the code to the user. A code of connection scope ends every upload.
        case report
        /// Ends every upload, keeps their state and makes no more connections.
        case stop
        /// Connects again after a wait, and opens or resumes its sessions on the new connection.
        case reconnect
        /// Waits and repeats the failed step.
        case tryAgain = "try again"
        /// Opens a new session for the file. If this happens a second time for the same file, reports the code instead.
        case beginAnew = "begin anew"
        /// Reads the part again, and offers it again if the file has not changed. If this happens a third time for the
        /// same part, reports the code instead.
        case readAgain = "read again"

        /// For a reaction that repeats a step: the exit code when the agent gives up. `nil` if the rule has its own
        /// exit code, or if the reaction ends no upload.
        package var exitCodeInTheEnd: Int32? {
            switch self {
            case .report, .stop, .reconnect: nil
            case .tryAgain: 75
            case .beginAnew: 1
            case .readAgain: 65
            }
        }
    }

    package let code: ErrorCode
    package let name: String
    package let scopes: Set<Scope>
    package let reaction: Reaction
    /// The agent's exit code if this error code ends an upload; `nil` if the error code alone ends no upload.
    package let exitCode: Int32?

    private init(
        _ number: UInt16, _ name: String, _ scopes: Set<Scope>, _ reaction: Reaction, exitCode: Int32? = nil
    ) {
        self.code = ErrorCode(rawValue: number)
        self.name = name
        self.scopes = scopes
        self.reaction = reaction
        self.exitCode = exitCode
    }
}

extension FailureRule {
    /// The rule of a code; `nil` if §12 does not name the code.
    package static func of(_ code: ErrorCode) -> FailureRule? { rules[code] }

    /// The agent's reaction to a code in a scope. For an unknown code, the scope alone decides.
    package static func reaction(to code: ErrorCode, in scope: Scope) -> Reaction {
        if let rule = rules[code] { return rule.reaction }
        return scope == .connection ? .reconnect : .tryAgain
    }

    /// Whether a gateway may send a code in a scope.
    package static func allows(_ code: ErrorCode, in scope: Scope) -> Bool {
        rules[code]?.scopes.contains(scope) ?? false
    }

    private static let rules: [ErrorCode: FailureRule] = Dictionary(
        all.map { ($0.code, $0) }, uniquingKeysWith: { first, _ in first })

    /// The rows of §12, in their order.
    package static let all: [FailureRule] = violations + ofConnections + ofSessions + ofParts

    private static let violations: [FailureRule] = [
        FailureRule(0x0001, "frame_too_large", [.connection], .report, exitCode: 76),
        FailureRule(0x0002, "body_too_short", [.connection], .report, exitCode: 76),
        FailureRule(0x0003, "trailing_bytes", [.connection], .report, exitCode: 76),
        FailureRule(0x0004, "unknown_type", [.connection], .report, exitCode: 76),
        FailureRule(0x0005, "unknown_required_field", [.connection], .report, exitCode: 76),
        FailureRule(0x0006, "reserved_bits", [.connection], .report, exitCode: 76),
        FailureRule(0x0007, "bad_text", [.connection], .report, exitCode: 76),
        FailureRule(0x0008, "bad_value", [.connection], .report, exitCode: 76),
        FailureRule(0x0009, "bad_slot", [.connection], .report, exitCode: 76),
        FailureRule(0x000A, "wrong_direction", [.connection], .report, exitCode: 76),
        FailureRule(0x000B, "bad_magic", [.connection], .report, exitCode: 76),
        FailureRule(0x000C, "unexpected_frame", [.connection], .report, exitCode: 76),
        FailureRule(0x000D, "too_many_fields", [.connection], .report, exitCode: 76),
        FailureRule(0x000E, "credit_exceeded", [.connection], .report, exitCode: 76),
        FailureRule(0x000F, "offset_gap", [.connection], .report, exitCode: 76),
        FailureRule(0x0010, "bad_compression", [.connection], .report, exitCode: 76),
    ]

    private static let ofConnections: [FailureRule] = [
        FailureRule(0x0020, "version_unsupported", [.connection], .stop, exitCode: 76),
        FailureRule(0x0021, "not_authorised", [.connection], .stop, exitCode: 77),
        FailureRule(0x0022, "fenced", [.connection], .stop, exitCode: 75),
        FailureRule(0x0023, "too_many_connections", [.connection], .reconnect),
        FailureRule(0x0024, "idle", [.connection], .reconnect),
        FailureRule(0x0025, "draining", [.connection, .session], .tryAgain),
        FailureRule(0x0026, "invitation_invalid", [.connection], .stop, exitCode: 77),
    ]

    private static let ofSessions: [FailureRule] = [
        FailureRule(0x0030, "key_invalid", [.session], .report, exitCode: 64),
        FailureRule(0x0031, "key_taken", [.session], .report, exitCode: 1),
        FailureRule(0x0032, "key_unsupported", [.session], .report, exitCode: 64),
        FailureRule(0x0033, "size_unsupported", [.session, .part], .report, exitCode: 64),
        FailureRule(0x0034, "part_size_unsupported", [.session], .report, exitCode: 64),
        FailureRule(0x0035, "busy", [.session, .part], .tryAgain),
        FailureRule(0x0036, "token_invalid", [.session], .beginAnew),
        FailureRule(0x0037, "token_foreign", [.session], .beginAnew),
        FailureRule(0x0038, "token_key_unknown", [.session], .tryAgain),
        FailureRule(0x0039, "session_lost", [.session], .beginAnew),
        FailureRule(0x003A, "outcome_unknown", [.session], .report, exitCode: 75),
        FailureRule(0x003B, "root_mismatch", [.session], .beginAnew),
        FailureRule(0x003C, "list_invalid", [.session], .beginAnew),
        FailureRule(0x003D, "store_unavailable", [.session, .part], .tryAgain),
        FailureRule(0x003E, "store_refuses", [.session, .part], .report, exitCode: 69),
        FailureRule(0x003F, "store_full", [.session, .part], .tryAgain),
        FailureRule(0x0040, "bucket_missing", [.session, .part], .report, exitCode: 69),
        FailureRule(0x0041, "superseded", [.session], .report, exitCode: 1),
        FailureRule(0x0042, "content_refused", [.session, .part], .report, exitCode: 69),
        FailureRule(0x0043, "metadata_invalid", [.session], .report, exitCode: 64),
    ]

    private static let ofParts: [FailureRule] = [
        FailureRule(0x0050, "digest_mismatch", [.part], .readAgain),
        FailureRule(0x0051, "part_size_wrong", [.connection], .report, exitCode: 76),
        FailureRule(0x0052, "part_interrupted", [.part], .tryAgain),
        FailureRule(0x00FF, "internal", [.connection, .session, .part], .tryAgain),
    ]
}

extension ErrorScope {
    /// The letter that stands for this scope in the column *scope* of the table in §12.
    package var letter: FailureRule.Scope {
        switch self {
        case .part: .part
        case .session: .session
        case .connection: .connection
        }
    }
}
