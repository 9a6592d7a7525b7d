import Testing
import TransferCommon
import TransferCore
import TransferCoreSupport
import WireProtocol

/// A gateway may name an offset or a limit beyond the end of a part. The agent then uses the part's size instead
/// (specification §7.2).
@Suite struct GrantTests {
    private static let beyond: [UInt64] = [1_000, 1_001, 1_256, 4_096, 1 << 32, 1 << 63, .max - 1, .max]

    private func driver() -> AgentDriver {
        var driver = AgentDriver()
        driver.submit(size: 2_500)
        driver.welcome(initialCredit: 0)
        driver.commit()
        driver.frame(AgentDriver.opened(driver.session))
        driver.read()
        return driver
    }

    /// Sends all chunks.
    ///
    /// - Returns: the range of part 1 that each chunk carried.
    private func sendAll(_ driver: inout AgentDriver) -> [Range<UInt64>] {
        var sent: [Range<UInt64>] = []
        while let chunk = driver.chunks.first, sent.count < 100 {
            sent.append(chunk.offset..<chunk.offset + UInt64(chunk.plainBytes))
            driver.chunkSent()
        }
        return sent
    }

    private func expectWholePart(_ sent: [Range<UInt64>], from start: UInt64) {
        var next = start
        for range in sent {
            #expect(range.lowerBound == next)
            next = range.upperBound
        }
        #expect(next == 1_000, "\(sent)")
    }

    @Test(arguments: beyond, [0, 1, 999] as [UInt64])
    func aLimitBeyondThePartIsThePartsSize(limit: UInt64, offset: UInt64) throws {
        var driver = driver()
        let part = try #require(PartNumber(1))
        driver.frame(.partDecision(PartDecision(part: part, decision: .send(offset: offset, limit: limit))))
        expectWholePart(sendAll(&driver), from: offset)
    }

    @Test(arguments: beyond)
    func aRaisedLimitBeyondThePartIsThePartsSize(limit: UInt64) throws {
        var driver = driver()
        let part = try #require(PartNumber(1))
        driver.frame(.partDecision(PartDecision(part: part, decision: .send(offset: 0, limit: 300))))
        var sent = sendAll(&driver)
        #expect(sent.last?.upperBound == 300)
        driver.frame(.received(Received(part: part, received: 300, limit: limit)))
        sent += sendAll(&driver)
        expectWholePart(sent, from: 0)
    }

    @Test(arguments: beyond, [0, 1_000, .max] as [UInt64])
    func anOffsetBeyondThePartIsThePartsSize(offset: UInt64, limit: UInt64) throws {
        var driver = driver()
        let part = try #require(PartNumber(1))
        driver.frame(.partDecision(PartDecision(part: part, decision: .send(offset: offset, limit: limit))))
        #expect(driver.chunks.isEmpty)
        driver.frame(.stored(Stored(part: part, etag: "e")))
        #expect(driver.machine.progress(of: AgentDriver.upload)?.storedBytes == 1_000)
    }

    @Test(arguments: beyond)
    func limitBeyondThePartAddsNothing(limit: UInt64) throws {
        var driver = AgentTableTests.driver(in: .sendingUndecided)
        let part = try #require(PartNumber(1))
        driver.frame(.partDecision(PartDecision(part: part, decision: .send(offset: limit, limit: limit))))
        #expect(sendAll(&driver).last?.upperBound == 500)
    }
}
