import TransferCommon
import WireProtocol

/// An answer with which a store refuses a request, with the server's text. It is the `cause` of a `StoreError`.
///
/// The texts of the server are bounded and contain no secrets of the request, even if the server quotes them.
struct S3Refusal: StoreErrorDetail, CustomDebugStringConvertible {
    /// The refused call, as `S3Request.operation` names it.
    var operation: String
    var status: Int
    /// S3's error code. Empty if the answer has none. An answer to HEAD never has one.
    var code: String
    var message: String
    /// The id that the store gave this request, which the store's operator finds in the store's log; empty if the store
    /// sent none.
    var requestID: String
    /// The bucket's region, if the store names one and it is not the region of the request.
    var region: String?
    var retryAfter: Duration?
    /// How often the request was sent.
    var attempts = 1

    var debugDescription: String { detail }

    var detail: String {
        let name = Self.isCode(code) ? " " + code : ""
        let request = requestID.isEmpty ? "" : ", request " + requestID.visible(bytesMax: Self.wordBytesMax)
        let bytesLeft = StoreError.detailBytesMax - operation.utf8.count - name.utf8.count - request.utf8.count
        // 2 bytes for each of the two colons with their spaces, and 3 for the status.
        let text = message.visible(bytesMax: max(0, bytesLeft - 7))
        return "\(operation): \(status)\(name)" + (text.isEmpty ? "" : ": \(text)") + request
    }

    var facts: StoreCallFacts {
        StoreCallFacts(
            operation: operation, status: status, code: Self.isCode(code) ? code : "",
            requestID: requestID.visible(bytesMax: Self.wordBytesMax), attempts: attempts)
    }

    func afterAttempts(_ count: Int) -> S3Refusal {
        var refusal = self
        refusal.attempts = count
        return refusal
    }

    /// Maximum length of the error code and of the request's id in `detail`, in bytes.
    private static let wordBytesMax = 64

    /// Whether the text has the form of S3's error codes. Another text could be anything that the server quotes.
    static func isCode(_ text: String) -> Bool {
        (1...wordBytesMax).contains(text.utf8.count)
            && text.allSatisfy { $0.isASCII && ($0.isLetter || $0.isNumber || $0 == ".") }
    }
}

/// What an error code means for the caller, and whether another attempt can succeed.
struct S3Meaning: Hashable, Sendable {
    /// What the client has to do before another attempt of the same request can succeed.
    enum Remedy: Hashable, Sendable {
        /// No remedy: the client does not repeat the request.
        case none
        /// The client waits a while.
        case time
        case newCredentials
        /// The client corrects its clock by the time in the answer.
        case otherClock
        /// The client uses the region that the answer names.
        case otherRegion
    }

    var reason: StoreError.Reason
    var remedy: Remedy
    /// Whether it is certain that the store has not executed the request. If `false`, the store may have executed it.
    var isDecided: Bool

    init(_ reason: StoreError.Reason, after remedy: Remedy = .none, isDecided: Bool = true) {
        self.reason = reason
        self.remedy = remedy
        self.isDecided = isDecided
    }
}

extension S3Refusal {
    /// The meaning of the error code, or of the HTTP status if the code is unknown.
    var meaning: S3Meaning {
        // The client follows no redirect, so a redirect that is not about the region counts as a refusal.
        if isRedirect, region == nil || !isAboutRegion { return S3Meaning(.denied) }
        if region != nil, [301, 307, 400, 403].contains(status), isAboutRegion {
            return S3Meaning(.unavailable, after: .otherRegion)
        }
        let message = message.lowercased()
        if let special = Self.messages.first(where: { code == $0.code && message.contains($0.fragment) }) {
            return special.meaning
        }
        guard var meaning = Self.meanings[code] ?? Self.meaning(status: status) else {
            return S3Meaning(.unsupported)
        }
        if case .throttled = meaning.reason { meaning.reason = .throttled(retryAfter: retryAfter) }
        return meaning
    }

    /// The meaning of a refusal without an error code. An answer to HEAD has no body and therefore no code. Another
    /// answer without a code may come from a proxy instead of the store.
    ///
    /// - Parameters:
    ///   - afterHead: whether the answer is to HEAD.
    ///   - isSkewed: whether the local clock is far from the store's.
    func bareMeaning(afterHead: Bool, isSkewed: Bool) -> S3Meaning {
        switch status {
        case _ where region != nil: meaning
        case 403 where isSkewed: S3Meaning(.unavailable, after: .otherClock)
        // AWS gives this answer if the session token has expired.
        case 400 where afterHead: S3Meaning(.unavailable, after: .newCredentials)
        case 401 where afterHead, 403 where afterHead: S3Meaning(.denied, after: .newCredentials)
        // A proxy gives this answer, too, while the store behind it is starting. So it must not mean that the bucket or
        // the upload is missing, which would end sessions.
        case 404 where !afterHead: S3Meaning(.unavailable, after: .time)
        default: meaning
        }
    }

    /// Whether the error code allows that the region is the reason for the refusal. The bucket's region in the answer
    /// shows nothing, because stores name it in any refusal. An answer to HEAD has no code, so a refusal without a code
    /// may be about the region, too.
    private var isAboutRegion: Bool {
        switch code {
        case "", "PermanentRedirect", "TemporaryRedirect", "Redirect", "AuthorizationHeaderMalformed",
            "IllegalLocationConstraint", "IllegalLocationConstraintException":
            true
        default: false
        }
    }

    /// The sentence of the error that this refusal causes; `nil` if the sentence of its reason is enough.
    ///
    /// - Parameter meaning: how the client has interpreted the refusal.
    func sentence(for meaning: S3Meaning) -> String? {
        meaning.remedy == .otherClock ? Self.clockSentence : specialSentence ?? bareSentence
    }

    /// Whether the error code says that the credentials are the reason. A refusal without a code, or because of a wrong
    /// signature, may have another reason: a missing right on one key, or a proxy that changed a header.
    var namesCredentials: Bool {
        ["ExpiredToken", "InvalidAccessKeyId", "InvalidToken", "TokenRefreshRequired"].contains(code)
    }

    /// Whether the answer is a redirect. The client does not follow it, and uses only the region that the answer names.
    var isRedirect: Bool { (300..<400).contains(status) }

    private var specialSentence: String? {
        if isRedirect {
            return "The store redirects requests to another address, and the gateway follows no redirects."
        }
        return switch code {
        // Without an error code the answer may be that of a proxy.
        case "" where status == 413: "The store, or a proxy before it, does not accept a request of this size."
        case "EntityTooSmall": "The store does not accept parts of this small size."
        case "NoSuchBucket": Self.bucketSentence
        case "SignatureDoesNotMatch", "InvalidAccessKeyId": "The store does not know the gateway's access key."
        case "ExpiredToken", "TokenRefreshRequired": "The gateway's credentials for the store have expired."
        default: nil
        }
    }

    private static let clockSentence = "The gateway's clock differs too much from the store's."
    private static let bucketSentence =
        "The store has no bucket of this name: its name, the endpoint or the region may be wrong."

    /// The status leaves several causes open, so the sentence names what the operator can look at.
    private var bareSentence: String? {
        guard code.isEmpty else { return nil }
        switch status {
        case 400:
            return
                "The store answers 400 without a reason: the endpoint or the region may be wrong, or the session token "
                + "of the credentials may have expired."
        case 401, 403:
            let right = S3Request.right(of: operation).map { "the permission \($0)" } ?? "a permission"
            return
                "The store answers \(status) without a reason: the access key or its secret may be wrong, the bucket "
                + "may belong to another account, or \(right) may be missing."
        case 404 where operation == "HeadBucket":
            return Self.bucketSentence
        case 404:
            return "The store answers 404 without a reason: the endpoint or its path may be wrong, or a proxy may have "
                + "answered for a store that is starting."
        default: return nil
        }
    }

    private static func meaning(status: Int) -> S3Meaning? {
        switch status {
        case 300..<400: S3Meaning(.denied)
        case 401, 403: S3Meaning(.denied)
        case 404: S3Meaning(.bucketMissing)
        case 408: S3Meaning(.unavailable, after: .time)
        case 409: S3Meaning(.unavailable, after: .time)
        case 411: S3Meaning(.sizeMismatch)
        case 412: S3Meaning(.keyTaken)
        case 413: S3Meaning(.tooLarge)
        case 429: S3Meaning(.throttled(retryAfter: nil), after: .time)
        case 499, 520: S3Meaning(.unavailable, after: .time, isDecided: false)
        case 501: S3Meaning(.unsupported)
        case 507: S3Meaning(.full)
        case 500..<600: S3Meaning(.unavailable, after: .time, isDecided: false)
        default: nil
        }
    }

    /// Refusals whose error code is general, so that only the message tells their meaning. The fragments are in lower
    /// case.
    private static let messages: [(code: String, fragment: String, meaning: S3Meaning)] = [
        // Ceph sends this message.
        ("InternalError", "multipart completion is already in progress", S3Meaning(.completionInProgress)),
        // JuiceFS, which keeps objects as files in folders, sends these messages.
        ("InternalError", "cause(not a directory)", S3Meaning(.keyUnsupported)),
        ("InternalError", "cause(is a directory)", S3Meaning(.keyUnsupported)),
        // If a quota is used up, OpenStack Swift answers with the code for a body that is too large.
        ("EntityTooLarge", "quota", S3Meaning(.full)),
        ("AccessDenied", "quota exceeded", S3Meaning(.full)),
    ]

    /// The meaning of each known code. For other codes the status decides.
    static let meanings: [String: S3Meaning] = [
        "NoSuchBucket": S3Meaning(.bucketMissing),
        "NoSuchUpload": S3Meaning(.uploadUnknown),
        // Some stores use this code for a missing upload. Requests for an object handle this code themselves.
        "NoSuchKey": S3Meaning(.uploadUnknown),

        "AccessDenied": S3Meaning(.denied),
        "AccountProblem": S3Meaning(.denied),
        "AllAccessDisabled": S3Meaning(.denied),
        "InvalidSecurity": S3Meaning(.denied),
        "NotSignedUp": S3Meaning(.denied),
        "InvalidAccessKeyId": S3Meaning(.denied, after: .newCredentials),
        "SignatureDoesNotMatch": S3Meaning(.denied, after: .newCredentials),
        "ExpiredToken": S3Meaning(.denied, after: .newCredentials),
        "InvalidToken": S3Meaning(.denied, after: .newCredentials),
        "TokenRefreshRequired": S3Meaning(.denied, after: .newCredentials),
        "RequestTimeTooSkewed": S3Meaning(.unavailable, after: .otherClock),
        "RequestExpired": S3Meaning(.unavailable, after: .otherClock),

        "QuotaExceeded": S3Meaning(.full),
        "InsufficientStorage": S3Meaning(.full),
        "XMinioStorageFull": S3Meaning(.full),
        "XMinioAdminBucketQuotaExceeded": S3Meaning(.full),

        "SlowDown": S3Meaning(.throttled(retryAfter: nil), after: .time),
        "SlowDownRead": S3Meaning(.throttled(retryAfter: nil), after: .time),
        "SlowDownWrite": S3Meaning(.throttled(retryAfter: nil), after: .time),
        "Throttling": S3Meaning(.throttled(retryAfter: nil), after: .time),
        "ThrottlingException": S3Meaning(.throttled(retryAfter: nil), after: .time),
        "RequestLimitExceeded": S3Meaning(.throttled(retryAfter: nil), after: .time),
        "RequestThrottled": S3Meaning(.throttled(retryAfter: nil), after: .time),
        "TooManyRequests": S3Meaning(.throttled(retryAfter: nil), after: .time),
        "BandwidthLimitExceeded": S3Meaning(.throttled(retryAfter: nil), after: .time),
        "Busy": S3Meaning(.throttled(retryAfter: nil), after: .time),
        "ServiceUnavailable": S3Meaning(.throttled(retryAfter: nil), after: .time),

        "InternalError": S3Meaning(.unavailable, after: .time, isDecided: false),
        "InternalFailure": S3Meaning(.unavailable, after: .time, isDecided: false),
        "RequestTimeout": S3Meaning(.unavailable, after: .time),
        "OperationAborted": S3Meaning(.unavailable, after: .time),
        "XMinioServerNotInitialized": S3Meaning(.unavailable, after: .time),

        "XAmzContentSHA256Mismatch": S3Meaning(.digestMismatch),
        "XAmzContentChecksumMismatch": S3Meaning(.digestMismatch),
        "BadDigest": S3Meaning(.digestMismatch),
        "InvalidDigest": S3Meaning(.digestMismatch),
        "IncompleteBody": S3Meaning(.sizeMismatch),
        "MissingContentLength": S3Meaning(.sizeMismatch),

        // The answer does not say which parts are invalid. The caller finds them with a listing.
        "InvalidPart": S3Meaning(.partsInvalid([])),
        "InvalidPartOrder": S3Meaning(.partsInvalid([])),

        "PreconditionFailed": S3Meaning(.keyTaken),
        "ConditionalRequestConflict": S3Meaning(.conflict),

        "KeyTooLongError": S3Meaning(.keyUnsupported),
        "InvalidObjectName": S3Meaning(.keyUnsupported),
        "InvalidURI": S3Meaning(.keyUnsupported),
        "XMinioInvalidObjectName": S3Meaning(.keyUnsupported),
        "XMinioObjectExistsAsDirectory": S3Meaning(.keyUnsupported),
        "XMinioParentIsObject": S3Meaning(.keyUnsupported),

        "EntityTooLarge": S3Meaning(.tooLarge),
        "EntityTooSmall": S3Meaning(.unsupported),
        "MetadataTooLarge": S3Meaning(.unsupported),
        "NotImplemented": S3Meaning(.unsupported),
        "MethodNotAllowed": S3Meaning(.unsupported),
        "InvalidRequest": S3Meaning(.unsupported),
        "InvalidArgument": S3Meaning(.unsupported),
        "MalformedXML": S3Meaning(.unsupported),
        "PermanentRedirect": S3Meaning(.denied),
    ]
}
