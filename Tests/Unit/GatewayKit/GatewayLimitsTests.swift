import Foundation
import GatewayKit
import NIOPosix
import ObjectStore
import TestSupport
import Testing
import TransferCommon
import TransferCore

/// Tests of the limits that a gateway derives from its store.
@Suite struct GatewayLimitsTests {
    /// WELCOME names the identity of the gateway's store. From it an agent recognises whether a proof is about this
    /// store.
    @Test func welcomeNamesTheStoreIdentity() async throws {
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
