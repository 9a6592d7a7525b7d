/// The condition under which a store writes an object. The store checks it at the moment of writing (S3's conditional
/// requests).
package enum PutCondition: Hashable, Sendable {
    /// No condition: the write replaces any object under the key.
    case none
    /// The key must have no object (`If-None-Match: *`).
    case ifAbsent
    /// The key must have the object with this ETag (`If-Match`).
    case ifMatch(etag: String)
}

/// The conditions that the store checks, as a probe has shown. A store that ignores a condition replaces the object
/// even if the condition is not fulfilled.
package struct CheckedConditions: Hashable, Sendable {
    /// The conditions that the store checks in one kind of request.
    package struct Request: Hashable, Sendable {
        package var ifAbsent: Bool
        package var ifMatch: Bool

        package init(ifAbsent: Bool, ifMatch: Bool) {
            self.ifAbsent = ifAbsent
            self.ifMatch = ifMatch
        }

        /// Whether the store refuses to write if `condition` is not fulfilled.
        package func check(_ condition: PutCondition) -> Bool {
            switch condition {
            case .none: true
            case .ifAbsent: ifAbsent
            case .ifMatch: ifMatch
            }
        }
    }

    /// The conditions of PutObject, which writes an object by one request.
    package var put: Request
    /// The conditions of CompleteMultipartUpload, which makes an object out of parts.
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
