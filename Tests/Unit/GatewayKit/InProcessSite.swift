import AgentKit
import Cryptography
import Foundation
import GatewayKit
import Logging
import ObjectStore
import SecureChannel
import TestSupport
import TransferCore

/// Gateways and agents in the test's process, with all files below one directory. For tests that need access to
/// internals, or many fast runs.
struct InProcessSite {
    static let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }

    let directory: URL

    /// Runs `body` with a gateway that serves a store, then ends the gateway with its connections, flows and calls.
    ///
    /// - Parameter change: adjusts the gateway's configuration.
    func withGateway<Success>(
        _ store: any ObjectStore, limits: GatewayLimits, logger: Logger = logger,
        _ change: (inout GatewayServer.Configuration) -> Void = { _ in },
        _ body: (Int) async throws -> Success
    ) async throws -> Success {
        var configuration = GatewayServer.Configuration(host: "127.0.0.1", port: 0, limits: limits, software: "test")
        configuration.drainLimit = .zero
        change(&configuration)
        let port = Watched<Int?>(nil)
        let server = GatewayServer(configuration: configuration, home: try home(), store: store, logger: logger) {
            address in
            let number = address.split(separator: ":").last.flatMap { Int($0) }
            port.update { $0 = number }
        }
        return try await withThrowingTaskGroup(of: Void.self) { tasks in
            tasks.addTask { try await server.run() }
            let number = try await withDeadline(.seconds(120), "the gateway to listen") { try await port.wait { $0 } }
            let result: Result<Success, any Error>
            do {
                result = .success(try await body(number))
            } catch {
                result = .failure(error)
            }
            tasks.cancelAll()
            return try result.get()
        }
    }

    /// The home of the site with identity, keys and devices; created by the first call.
    func home() throws -> GatewayHome {
        let path = directory.appending(path: "gateway").path(percentEncoded: false)
        let home = GatewayHome(path: path)
        if !FileManager.default.fileExists(atPath: path) { _ = try home.create(name: "gate") }
        return home
    }

    /// Makes an agent with its own home and adds its device to the site's list.
    func makeAgent(
        _ name: String = "agent", port: Int, _ change: (inout Uploader.Configuration) -> Void = { _ in }
    ) throws -> Uploader {
        let gateway = try home()
        let agent = AgentHome(path: directory.appending(path: name).path(percentEncoded: false))
        let pin = try gateway.identity().fingerprint
        let fingerprint = try agent.create(name: name, gateway: "127.0.0.1:\(port)", pin: pin)
        try gateway.addDevice(name: name, fingerprint: fingerprint, prefix: "")
        var configuration = Uploader.Configuration(host: "127.0.0.1", port: port, software: "test")
        change(&configuration)
        return Uploader(home: agent, configuration: configuration, logger: Self.logger)
    }

    /// Makes a file of seeded random bytes.
    func makeFile(_ name: String, bytes: Int, seed: UInt64 = 1) throws -> URL {
        let url = directory.appending(path: name)
        try FileManager.default.createDirectory(at: url.deletingLastPathComponent(), withIntermediateDirectories: true)
        try SeededFile(seed: seed, byteCount: bytes).write(to: url)
        return url
    }
}

extension Uploader {
    /// Pushes one file and waits until the run has ended.
    func push(
        _ file: URL, key: String, observe: @Sendable @escaping (UploadEvent) -> Void = { _ in }
    ) async throws -> RunSummary {
        let path = file.path(percentEncoded: false)
        return try await run(.push(paths: [path], key: key, prefix: "", filter: .init()), observe: observe)
    }
}
