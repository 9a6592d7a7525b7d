import Foundation
import S3Servers

/// One call to a store, derived from its method, path and query.
package struct S3Call: Sendable, CustomStringConvertible {
    /// The calls that a store must support.
    package enum Operation: String, Sendable, CaseIterable {
        case headBucket, listObjects, listUploads
        case headObject, getObject, putObject, deleteObject
        case createUpload, uploadPart, listParts, completeUpload, abortUpload
        case unknown
    }

    package let operation: Operation
    /// The key in the bucket; empty for the bucket itself.
    package let key: String
    package let query: [String: String]

    /// The part number in the query.
    package var number: Int? { query["partNumber"].flatMap { Int($0) } }
    /// The upload id in the query.
    package var upload: String? { query["uploadId"] }

    package var description: String {
        "\(operation.rawValue) \(key)" + (number.map { " part \($0)" } ?? "")
    }

    /// Whether the call belongs to a gateway's probe.
    package var isProbe: Bool {
        key.contains(".sluice/probe/") || query["prefix"]?.contains(".sluice/probe/") ?? false
    }

    init(_ request: ScriptedRequest) {
        let halves = request.target.split(separator: "?", maxSplits: 1, omittingEmptySubsequences: false)
        let path = halves[0].split(separator: "/", maxSplits: 1, omittingEmptySubsequences: true)
        key = path.count > 1 ? Self.decoded(path[1]) : ""
        var query: [String: String] = [:]
        for pair in (halves.count > 1 ? halves[1] : "").split(separator: "&") {
            let sides = pair.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            query[Self.decoded(sides[0])] = sides.count > 1 ? Self.decoded(sides[1]) : ""
        }
        self.query = query
        operation = Self.operation(request.method, isBucket: key.isEmpty, query)
    }

    private static func decoded(_ text: Substring) -> String { text.removingPercentEncoding ?? String(text) }

    private static func operation(_ method: String, isBucket: Bool, _ query: [String: String]) -> Operation {
        let hasUpload = query["uploadId"] != nil
        switch (method, isBucket) {
        case ("HEAD", true): return .headBucket
        case ("GET", true): return query["uploads"] != nil ? .listUploads : .listObjects
        case ("HEAD", false): return .headObject
        case ("GET", false): return hasUpload ? .listParts : .getObject
        case ("PUT", false): return hasUpload ? .uploadPart : .putObject
        case ("POST", false): return hasUpload ? .completeUpload : query["uploads"] != nil ? .createUpload : .unknown
        case ("DELETE", false): return hasUpload ? .abortUpload : .deleteObject
        default: return .unknown
        }
    }
}
