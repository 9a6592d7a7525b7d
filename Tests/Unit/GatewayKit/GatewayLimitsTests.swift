import Foundation
import GatewayKit
import NIOPosix
import ObjectStore
import TestSupport
import Testing
import TransferCommon
import TransferCore

/// What a gateway takes over from its store.
@Suite struct GatewayLimitsTests {
    /// Agents tell by it whether a store is the one that they proved a file in.
    @Test func agentsAreToldTheIdentityOfTheStore() async throws {
        try await withTemporaryDirectory("limits") { directory in
            let store = try await FileStore.open(
                path: directory.path(percentEncoded: false), threads: .singleton, logger: InProcessSite.logger)
            let limits = try GatewayServer.limits(for: store, budgetBytes: nil)
            #expect(limits.storeIdentity == store.identity)
            #expect(limits.storeIdentity != .zero)
            try await store.close()
        }
    }
}
