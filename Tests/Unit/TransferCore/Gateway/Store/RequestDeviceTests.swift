import Testing
import TransferCommon
import TransferCore
import WireProtocol

/// For the log, the gateway knows which device has caused a request to the store.
@Suite struct RequestDeviceTests {
    @Test func requestHasItsDeviceUntilItIsAnswered() throws {
        var driver = GatewayDriver()
        driver.connect()
        driver.frame(.sessionOpen(GatewayDriver.open(size: 2_500)))
        let request = try #require(driver.requests.first?.id)
        #expect(driver.machine.deviceName(of: request) == "device-1")
        driver.answer(.object(nil))
        #expect(driver.machine.deviceName(of: request) == nil)
    }
}
