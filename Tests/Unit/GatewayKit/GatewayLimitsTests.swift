import Foundation
import GatewayKit
import NIOCore
import NIOPosix
import ObjectStore
import SystemSupport
import TestSupport
import Testing
import TransferCommon
import TransferCore

/// Tests of the limits that a gateway derives from its store.
@Suite struct GatewayLimitsTests {
    /// By this identity an agent recognises whether a proof is about the gateway's store.
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

    /// The other descriptors remain for the store, so a gateway with all its connections can still store files.
    @Test func fewDescriptorsMeanFewConnections() {
        let usual = GatewayLimits(
            parts: PartRule(
                partBytesMin: 1, partBytesMax: 1 << 30, partBytesDefault: 1, partsMax: 10_000, objectBytesMax: 1 << 40))
        var limits = usual
        limits.fit(descriptors: 1 << 20)
        #expect(limits == usual)
        for count in DescriptorLimit.fewest...9_000 {
            limits = usual
            limits.fit(descriptors: count)
            let all = limits.connectionsMax + limits.unauthenticatedPeersMax + limits.peersBeforeProxyHeaderMax
            #expect(limits.connectionsMax >= 1 && all <= (count - 24) * 3 / 4 + 2)
            #expect(limits.unauthenticatedPeersPerAddressMax >= 1)
            #expect(limits.unauthenticatedPeersPerAddressMax <= limits.unauthenticatedPeersMax)
            #expect(limits.unauthenticatedPeersMax <= limits.connectionsMax)
        }
    }

    /// Without the pause, the event loop would do nothing but fail to accept.
    @Test func listenerPausesWithoutDescriptor() async throws {
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        let listener = try await ServerBootstrap(group: group)
            .serverChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(AcceptPause { _ in })
                }
            }
            .bind(host: "127.0.0.1", port: 0).get()
        let isReading = try await listener.eventLoop.submit {
            listener.pipeline.syncOperations.fireErrorCaught(IOError(errnoCode: EMFILE, reason: "accept"))
            return try listener.syncOptions?.getOption(.autoRead)
        }.get()
        #expect(isReading == false)
        try await withDeadline(.seconds(30), "the listener to accept again") {
            while try await listener.getOption(.autoRead).get() == false { await Task.yield() }
        }
        try await listener.close()
        try await group.shutdownGracefully()
    }
}
