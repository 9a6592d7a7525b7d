import Settings
import Testing

/// Tests of parsing quantities in command-line arguments.
@Suite
struct QuantityTests {
    @Test(arguments: [
        ("8MiB", 8_388_608), ("64B", 64), ("1.5kB", 1_500), ("2GB", 2_000_000_000), ("1TiB", 1_099_511_627_776),
    ])
    func sizesCarryTheirUnit(text: String, bytes: UInt64) {
        #expect(ByteSize(argument: text)?.bytes == bytes)
    }

    @Test(arguments: [("20MB/s", 20_000_000), ("10Mbit/s", 1_250_000), ("512KiB/s", 524_288), ("8bit/s", 1)])
    func ratesCarryTheirUnit(text: String, bytesPerSecond: UInt64) {
        #expect(ByteRate(argument: text)?.bytesPerSecond == bytesPerSecond)
    }

    @Test(arguments: [
        ("250ms", Duration.milliseconds(250)), ("5min", .seconds(300)), ("2h", .seconds(7_200)),
        ("7d", .seconds(604_800)), ("0s", .zero),
    ])
    func timesCarryTheirUnit(text: String, duration: Duration) {
        #expect(TimeSpan(argument: text)?.duration == duration)
    }

    @Test(arguments: ["8", "", "MiB", "8 MiB", "-8MiB", "8mib", "8MiB/s", "1e99GB", "NaNB", "8Mbit"])
    func invalidSizesAreRefused(text: String) {
        #expect(ByteSize(argument: text) == nil)
    }

    @Test(arguments: ["20", "20MB", "0MB/s", "10mbit/s", "/s"])
    func invalidRatesAreRefused(text: String) {
        #expect(ByteRate(argument: text) == nil)
    }

    @Test(arguments: [
        ("127.0.0.1:7420", "127.0.0.1", 7_420, true), ("[::1]:1", "::1", 1, true),
        ("gate.example:80", "gate.example", 80, false), ("127.evil.example:1", "127.evil.example", 1, false),
        ("localhost:1", "localhost", 1, true), ("[::ffff:127.0.0.1]:1", "::ffff:127.0.0.1", 1, true),
        ("127.0.0.1.example:1", "127.0.0.1.example", 1, false), ("0.0.0.0:1", "0.0.0.0", 1, false),
    ])
    func endpointsHaveAHostAndAPort(text: String, host: String, port: Int, isLoopback: Bool) throws {
        let endpoint = try #require(Endpoint(argument: text))
        #expect(endpoint.host == host)
        #expect(endpoint.port == port)
        #expect(endpoint.isLoopback == isLoopback)
        #expect(endpoint.description == text)
    }

    @Test(arguments: ["gate", ":80", "gate:", "gate:99999", "gate:-1"])
    func invalidEndpointsAreRefused(text: String) {
        #expect(Endpoint(argument: text) == nil)
    }
}
