import Testing
import TransferCommon
import WireProtocol

@Suite struct SpecificationTests {
    @Test func frameTypesMatchTheSpecification() throws {
        let rows = try Repository.tableRows(underHeading: "## 4. Frames")
        let table = rows.map { Array($0.prefix(5)) }
        let types = FrameType.allCases.map { type in
            let way =
                switch type.direction {
                case .agentToGateway: "A→G"
                case .gatewayToAgent: "G→A"
                case .both: "both"
                }
            let slot =
                switch type.scope {
                case .connection: "0"
                case .session: "≠ 0"
                case .any: "any"
                }
            return ["0x" + hexadecimal([type.rawValue]), type.description, way, slot, grouped(type.bodyBytesMax)]
        }
        #expect(table == types)
    }

    @Test func errorCodesMatchTheSpecification() throws {
        let rows = try Repository.codeRows()
        let table = rows.map { "\($0[0].lowercased()) \($0[1])" }
        let known = (0...UInt16.max).map { ErrorCode(rawValue: $0) }.filter { !$0.name.hasPrefix("code ") }
        let codes = known.map { code in
            "0x" + hexadecimal([UInt8(code.rawValue >> 8), UInt8(truncatingIfNeeded: code.rawValue)]) + " \(code.name)"
        }
        #expect(table == codes)
    }

    @Test func unknownCodeIsNamedByItsNumber() {
        #expect(ErrorCode(rawValue: 0x1234).name == "code 0x1234")
        #expect(ErrorCode(rawValue: 0).name == "code 0x0000")
    }

    @Test func wireErrorsOfTheCodecAreOfConnectionScope() throws {
        let rows = try Repository.codeRows()
        let connectionCodes = rows.filter { $0[2] == "c" }.map { $0[1] }
        for vector in try MalformedVector.load() {
            #expect(connectionCodes.contains(vector.codeName))
        }
    }

    @Test func limitsFitIntoTheFramesThatCarryThem() {
        #expect(FrameType.partData.bodyBytesMax == Int(WireLimits.chunkBytesMax) + WireLimits.partDataFieldsBytes)
        #expect(FrameType.hello.bodyBytesMax == WireLimits.bodyBytesBeforeHelloMax)
        #expect(FrameType.allCases.allSatisfy { $0.bodyBytesMax <= FrameType.partList.bodyBytesMax || $0 == .partData })
        #expect(WireLimits.skippedBodyBytesMax <= FrameType.partList.bodyBytesMax)
        for type in [FrameType.sessionOpened, .resumeQuery, .abort] {
            #expect(WireLimits.tokenBytesMax + 64 <= type.bodyBytesMax, "\(type)")
        }
        for type in [FrameType.goAway, .error, .sessionRefused] {
            #expect(WireLimits.messageBytesMax + 64 <= type.bodyBytesMax, "\(type)")
        }
        for type in [FrameType.partDecision, .stored] {
            #expect(WireLimits.partETagBytesMax + 64 <= type.bodyBytesMax, "\(type)")
        }
        for type in [FrameType.completed, .proven] {
            #expect(WireLimits.signatureBytesMax + 64 <= type.bodyBytesMax, "\(type)")
        }
        // The most bytes that metadata take in a frame: the content type, all names and values, and three bytes for the
        // lengths of each pair.
        let metadataBytes = 256 + SessionMetadata.bytesMax + 3 * SessionMetadata.pairsMax
        #expect(metadataBytes + WireLimits.keyBytesMax + 128 <= FrameType.sessionOpen.bodyBytesMax)
        #expect(WireLimits.keyBytesMax + 128 <= FrameType.prove.bodyBytesMax)
        #expect(WireLimits.messageBytesMax + 64 <= FrameType.report.bodyBytesMax)
        #expect(256 + SHA256Digest.byteCount * WireLimits.pinsMax + 80 <= FrameType.hello.bodyBytesMax)
        let welcomeTexts = 256 + 256 + WireLimits.keyBytesMax + WireLimits.receiptKeyBytesMax
        #expect(welcomeTexts + 200 <= FrameType.welcome.bodyBytesMax)
        #expect(WireLimits.wantedPartsMax == Int(WireLimits.partsMax))
        #expect(4 + 4 * WireLimits.wantedPartsMax <= FrameType.partsWanted.bodyBytesMax)
        let partialsBytes = (4 + SHA256Digest.byteCount + 8 + 8) * WireLimits.partialPartsMax
        #expect(partialsBytes + WireLimits.tokenBytesMax + 64 <= FrameType.sessionOpened.bodyBytesMax)
        let listBytes = partialsBytes + 4 * WireLimits.wantedPartsMax
        #expect(listBytes + WireLimits.tokenBytesMax + 64 <= FrameType.resumeState.bodyBytesMax)
    }
}

/// Formats a number with thousands separators, as the specification does: 1,024.
func grouped(_ number: Int) -> String {
    guard number >= 1_000 else { return String(number) }
    let rest = String(number % 1_000)
    return grouped(number / 1_000) + "," + String(repeating: "0", count: 3 - rest.count) + rest
}
