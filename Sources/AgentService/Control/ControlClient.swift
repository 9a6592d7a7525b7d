import FoundationEssentials
import NIOCore
import NIOHTTP1
import NIOPosix
import SystemSupport

/// Why a command gets no answer from a running service.
package enum ControlFailure: Error, Equatable, Sendable {
    /// No service runs in the home.
    case noService
    /// The user of this process may not talk to the service.
    case forbidden
    /// The service does not do what was asked; a sentence for people.
    case refused(String)
    /// The service has ended, or does not answer.
    case interrupted(String)
    /// The service answers in a way that this version does not know.
    case otherVersion(String)
    /// The socket cannot be used.
    case socket(String)
}

/// Asks a running service by its control socket.
package struct ControlClient: Sendable {
    /// Bytes of an answer. A status of many folders with all their troubles is far below.
    private static let answerBytesMax = 16 << 20

    private let path: String
    private let patience: Duration

    /// - Parameters:
    ///   - path: the place of the socket.
    ///   - patience: how long to wait for an answer. A flush has no limit.
    package init(path: String, patience: Duration = .seconds(30)) {
        self.path = path
        self.patience = patience
    }

    package func status() async throws(ControlFailure) -> ServiceStatus {
        try await ask(.GET, "status", Nothing(), ServiceStatus.self)
    }

    package func pause(_ folder: String?) async throws(ControlFailure) {
        _ = try await ask(.POST, "pause", OneFolder(folder: folder), Nothing.self)
    }

    package func unpause(_ folder: String?) async throws(ControlFailure) {
        _ = try await ask(.POST, "unpause", OneFolder(folder: folder), Nothing.self)
    }

    package func rescan(_ folder: String?) async throws(ControlFailure) {
        _ = try await ask(.POST, "rescan", OneFolder(folder: folder), Nothing.self)
    }

    /// - Parameter ids: items as the status names them; empty for all.
    /// - Returns: how many items are tried.
    package func retry(_ ids: [String]) async throws(ControlFailure) -> Int {
        try await ask(.POST, "retry", Items(items: ids), ControlRetried.self).items
    }

    /// Waits until the service has proven everything that was pending, or until the task is cancelled.
    ///
    /// - Returns: how many files could not be proven.
    package func flush() async throws(ControlFailure) -> Int {
        try await ask(.POST, "flush", Nothing(), ControlFlushed.self, hasLimit: false).unproven
    }

    package func reload() async throws(ControlFailure) {
        _ = try await ask(.POST, "reload", Nothing(), Nothing.self)
    }

    // MARK: The exchange

    private func ask<Answer: Decodable & Sendable>(
        _ method: HTTPMethod, _ name: String, _ body: some Encodable & Sendable, _ type: Answer.Type,
        hasLimit: Bool = true
    ) async throws(ControlFailure) -> Answer {
        let reply: ControlReply
        do {
            let bytes = method == .GET ? Data() : try JSONEncoder().encode(body)
            let descriptor = try LocalSocket.connected(to: path)
            let exchange = ControlExchange.Request(
                method: method, target: "/v1/\(name)", body: Array(bytes), answerBytesMax: Self.answerBytesMax)
            reply = try await withEventLoop { loop in
                try await exchange.perform(on: loop, descriptor: descriptor, patience: hasLimit ? patience : nil)
            }
        } catch {
            throw Self.failure(error)
        }
        return try Self.value(of: reply, type)
    }

    private static func failure(_ error: any Error) -> ControlFailure {
        switch error {
        case let error as LocalSocketError where error.isUnserved: .noService
        case let error as LocalSocketError where error.isForbidden: .forbidden
        case let error as LocalSocketError where error.cause == .system(EAGAIN):
            .interrupted("the service accepts no connection now")
        case let error as LocalSocketError: .socket(error.description)
        case ControlExchange.Problem.tooLong: .otherVersion("its answer is too long")
        case ControlExchange.Problem.tooSlow: .interrupted("the service does not answer")
        case is HTTPParserError: .otherVersion("its answer is no HTTP")
        default: .interrupted("the service has closed the connection without an answer")
        }
    }

    private static func value<Answer: Decodable>(
        of reply: ControlReply, _ type: Answer.Type
    ) throws(ControlFailure) -> Answer {
        let decoder = JSONDecoder()
        guard reply.status == .ok else {
            // try?: an answer without this field comes from another version.
            let problem = (try? decoder.decode(ControlProblem.self, from: Data(reply.body)))?.problem
            guard let problem, [.conflict, .payloadTooLarge].contains(reply.status) else {
                throw .otherVersion(problem ?? "it answers with the status \(reply.status.code)")
            }
            throw .refused(problem)
        }
        do {
            return try decoder.decode(type, from: Data(reply.body))
        } catch {
            throw .otherVersion("its answer has other fields")
        }
    }
}

/// A body or an answer without a field.
private struct Nothing: Codable, Sendable {}

private struct OneFolder: Encodable, Sendable {
    let folder: String?
}

private struct Items: Encodable, Sendable {
    let items: [String]
}
