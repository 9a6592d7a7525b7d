import FoundationEssentials
package import NIOHTTP1

/// An answer of the control socket: a status of HTTP and JSON.
package struct ControlAnswer: Equatable, Sendable {
    package let status: HTTPResponseStatus
    package let body: [UInt8]
    /// The methods that the path has, if the request used another one.
    package internal(set) var allowed: String?

    /// The work is done, and there is nothing to tell about it.
    static let done = ControlAnswer(status: .ok, body: Array("{}".utf8))

    /// The work is done; the value tells about it.
    init(_ value: some Encodable) {
        do {
            let encoder = JSONEncoder()
            encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
            self.init(status: .ok, body: Array(try encoder.encode(value)))
        } catch {
            self.init(.internalServerError, "the answer cannot be written as JSON")
        }
    }

    /// The service does not do what was asked.
    ///
    /// - Parameter problem: why, a sentence for people.
    init(_ status: HTTPResponseStatus, _ problem: String) {
        do {
            self.init(status: status, body: Array(try JSONEncoder().encode(ControlProblem(problem: problem))))
        } catch {
            // A structure of one text can always be encoded. If it could not, the status would still tell the kind.
            self.init(status: status, body: Array("{}".utf8))
        }
    }

    private init(status: HTTPResponseStatus, body: [UInt8]) {
        self.status = status
        self.body = body
    }
}

/// The JSON of an answer that refuses.
struct ControlProblem: Codable, Equatable {
    let problem: String
}

/// The JSON of the answer to `retry`.
struct ControlRetried: Codable, Equatable {
    /// How many items are tried.
    let items: Int
}

/// The JSON of the answer to `flush`.
struct ControlFlushed: Codable, Equatable {
    /// How many files could not be proven.
    let unproven: Int
}
