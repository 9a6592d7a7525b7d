import TransferCommon

/// A code of ERROR, SESSION REFUSED or PART DECISION (specification §12). Any number can arrive, because new codes may
/// be added without a new protocol version. The scope of an unknown code (part, session or connection) decides what its
/// receiver does.
package struct ErrorCode: RawRepresentable, Hashable, Sendable {
    package let rawValue: UInt16

    package init(rawValue: UInt16) {
        self.rawValue = rawValue
    }
}

extension ErrorCode {
    // Codes for violations of the protocol, which show that one of the two programs has a defect.
    package static let frameTooLarge = ErrorCode(rawValue: 0x0001)
    package static let bodyTooShort = ErrorCode(rawValue: 0x0002)
    package static let trailingBytes = ErrorCode(rawValue: 0x0003)
    package static let unknownType = ErrorCode(rawValue: 0x0004)
    package static let unknownRequiredField = ErrorCode(rawValue: 0x0005)
    package static let reservedBits = ErrorCode(rawValue: 0x0006)
    package static let badText = ErrorCode(rawValue: 0x0007)
    package static let badValue = ErrorCode(rawValue: 0x0008)
    package static let badSlot = ErrorCode(rawValue: 0x0009)
    package static let wrongDirection = ErrorCode(rawValue: 0x000A)
    package static let badMagic = ErrorCode(rawValue: 0x000B)
    package static let unexpectedFrame = ErrorCode(rawValue: 0x000C)
    package static let tooManyFields = ErrorCode(rawValue: 0x000D)
    package static let creditExceeded = ErrorCode(rawValue: 0x000E)
    package static let offsetGap = ErrorCode(rawValue: 0x000F)
    package static let badCompression = ErrorCode(rawValue: 0x0010)

    // Codes that end the connection.
    package static let versionUnsupported = ErrorCode(rawValue: 0x0020)
    package static let notAuthorised = ErrorCode(rawValue: 0x0021)
    package static let fenced = ErrorCode(rawValue: 0x0022)
    package static let tooManyConnections = ErrorCode(rawValue: 0x0023)
    package static let idle = ErrorCode(rawValue: 0x0024)
    package static let draining = ErrorCode(rawValue: 0x0025)
    package static let invitationInvalid = ErrorCode(rawValue: 0x0026)

    // Codes that end or refuse the session.
    package static let keyInvalid = ErrorCode(rawValue: 0x0030)
    package static let keyTaken = ErrorCode(rawValue: 0x0031)
    package static let keyUnsupported = ErrorCode(rawValue: 0x0032)
    package static let sizeUnsupported = ErrorCode(rawValue: 0x0033)
    package static let partSizeUnsupported = ErrorCode(rawValue: 0x0034)
    package static let busy = ErrorCode(rawValue: 0x0035)
    package static let tokenInvalid = ErrorCode(rawValue: 0x0036)
    package static let tokenForeign = ErrorCode(rawValue: 0x0037)
    package static let tokenKeyUnknown = ErrorCode(rawValue: 0x0038)
    package static let sessionLost = ErrorCode(rawValue: 0x0039)
    package static let outcomeUnknown = ErrorCode(rawValue: 0x003A)
    package static let rootMismatch = ErrorCode(rawValue: 0x003B)
    package static let listInvalid = ErrorCode(rawValue: 0x003C)
    package static let storeUnavailable = ErrorCode(rawValue: 0x003D)
    package static let storeRefuses = ErrorCode(rawValue: 0x003E)
    package static let storeFull = ErrorCode(rawValue: 0x003F)
    package static let bucketMissing = ErrorCode(rawValue: 0x0040)
    package static let superseded = ErrorCode(rawValue: 0x0041)
    package static let contentRefused = ErrorCode(rawValue: 0x0042)
    package static let metadataInvalid = ErrorCode(rawValue: 0x0043)

    // Codes about one part.
    package static let digestMismatch = ErrorCode(rawValue: 0x0050)
    package static let partSizeWrong = ErrorCode(rawValue: 0x0051)
    package static let partInterrupted = ErrorCode(rawValue: 0x0052)

    // A code that is allowed in every scope.
    package static let `internal` = ErrorCode(rawValue: 0x00FF)
}

extension ErrorCode: CustomStringConvertible {
    /// The name in the specification, such as "key_taken", or "code 0x1234" for an unknown code.
    package var name: String {
        nameOfConnectionCode ?? nameOfOtherCode ?? number
    }

    /// The same as `name`.
    package var description: String { name }

    private var number: String {
        "code 0x" + hexadecimal([UInt8(rawValue >> 8), UInt8(truncatingIfNeeded: rawValue)])
    }

    private var nameOfConnectionCode: String? {
        switch self {
        case .frameTooLarge: "frame_too_large"
        case .bodyTooShort: "body_too_short"
        case .trailingBytes: "trailing_bytes"
        case .unknownType: "unknown_type"
        case .unknownRequiredField: "unknown_required_field"
        case .reservedBits: "reserved_bits"
        case .badText: "bad_text"
        case .badValue: "bad_value"
        case .badSlot: "bad_slot"
        case .wrongDirection: "wrong_direction"
        case .badMagic: "bad_magic"
        case .unexpectedFrame: "unexpected_frame"
        case .tooManyFields: "too_many_fields"
        case .creditExceeded: "credit_exceeded"
        case .offsetGap: "offset_gap"
        case .badCompression: "bad_compression"
        case .versionUnsupported: "version_unsupported"
        case .notAuthorised: "not_authorised"
        case .fenced: "fenced"
        case .tooManyConnections: "too_many_connections"
        case .idle: "idle"
        case .draining: "draining"
        case .invitationInvalid: "invitation_invalid"
        default: nil
        }
    }

    private var nameOfOtherCode: String? {
        switch self {
        case .keyInvalid: "key_invalid"
        case .keyTaken: "key_taken"
        case .keyUnsupported: "key_unsupported"
        case .sizeUnsupported: "size_unsupported"
        case .partSizeUnsupported: "part_size_unsupported"
        case .busy: "busy"
        case .tokenInvalid: "token_invalid"
        case .tokenForeign: "token_foreign"
        case .tokenKeyUnknown: "token_key_unknown"
        case .sessionLost: "session_lost"
        case .outcomeUnknown: "outcome_unknown"
        case .rootMismatch: "root_mismatch"
        case .listInvalid: "list_invalid"
        case .storeUnavailable: "store_unavailable"
        case .storeRefuses: "store_refuses"
        case .storeFull: "store_full"
        case .bucketMissing: "bucket_missing"
        case .superseded: "superseded"
        case .contentRefused: "content_refused"
        case .metadataInvalid: "metadata_invalid"
        case .digestMismatch: "digest_mismatch"
        case .partSizeWrong: "part_size_wrong"
        case .partInterrupted: "part_interrupted"
        case .internal: "internal"
        default: nil
        }
    }
}
