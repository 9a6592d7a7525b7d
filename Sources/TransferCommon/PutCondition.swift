/// What a store checks at the moment when it writes an object (S3's conditional requests).
package enum PutCondition: Hashable, Sendable {
    /// No condition: the write replaces any object under the key.
    case none
    /// The key must hold no object (`If-None-Match: *`).
    case ifAbsent
    /// The key must hold the object with this ETag (`If-Match`).
    case ifMatch(etag: String)
}

/// Which conditions a store was seen to check. A store that ignores a condition replaces the object even if the
/// condition does not hold.
package struct CheckedConditions: Hashable, Sendable {
    /// Which conditions the store checks in one kind of request.
    package struct Request: Hashable, Sendable {
        package var ifAbsent: Bool
        package var ifMatch: Bool

        package init(ifAbsent: Bool, ifMatch: Bool) {
            self.ifAbsent = ifAbsent
            self.ifMatch = ifMatch
        }

        /// Whether the store refuses to write if `condition` does not hold.
        package func check(_ condition: PutCondition) -> Bool {
            switch condition {
            case .none: true
            case .ifAbsent: ifAbsent
            case .ifMatch: ifMatch
            }
        }
    }

    /// Conditions of PutObject: an object written by one request.
    package var put: Request
    /// Conditions of CompleteMultipartUpload: an object made of parts.
    package var complete: Request

    package init(put: Request, complete: Request) {
        self.put = put
        self.complete = complete
    }

    package static let all = CheckedConditions(
        put: Request(ifAbsent: true, ifMatch: true), complete: Request(ifAbsent: true, ifMatch: true))
    package static let none = CheckedConditions(
        put: Request(ifAbsent: false, ifMatch: false), complete: Request(ifAbsent: false, ifMatch: false))
}
