import Testing
import TransferCommon
import TransferCore
import TransferCoreSupport
import WireProtocol

/// Compressed data needs a capability that both sides have agreed on (specification §7.3).
@Suite struct CompressionTests {
    @Test(arguments: [true, false], GatewayTableTests.State.allCases)
    func compressedDataNeedsTheCapability(isAgreed: Bool, state: GatewayTableTests.State) throws {
        guard state.slot != nil else { return }
        var driver = try GatewayTableTests.driver(in: state)
        if isAgreed {
            let id = driver.newConnection()
            driver.machine.accepted(id, now: driver.now)
            driver.frame(.hello(GatewayDriver.hello(capabilities: .lz4)), slot: .connection, from: id)
            #expect(driver.data(bytes: 100, isCompressed: true, from: id) == .discard)
        } else {
            let verdict = driver.machine.receivedData(
                PartDataHeader(
                    part: try #require(PartNumber(1)), offset: 0, plainBytes: 100, isCompressed: true,
                    payloadBytes: 50),
                slot: GatewayDriver.slot, from: GatewayDriver.connection, now: driver.now)
            let codes = frames(driver.change { _, _ in }).compactMap { frame -> ErrorCode? in
                if case .error(let report) = frame { report.code } else { nil }
            }
            #expect(verdict == .violation)
            #expect(codes == [.badCompression])
        }
    }
}
