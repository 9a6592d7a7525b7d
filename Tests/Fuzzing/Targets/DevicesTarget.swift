import GatewayKit
import TransferCommon
import TransferCore
import TransferCoreSupport
import WireProtocol

extension FuzzTarget {
    /// The device list. The first byte selects whether the rest is the text of a file, or a prefix with which to add a
    /// device.
    package static let devices = FuzzTarget(name: "devices", inputBytesMax: 1_024) { input in
        let text = String(decoding: input.dropFirst(), as: UTF8.self)
        var list = DeviceList()
        do throws(DeviceListError) {
            if input.first.map({ $0 & 1 == 0 }) ?? true {
                list = try DeviceList(parsing: text)
            } else {
                try list.add(AuthorisedDevice(name: "cam", fingerprint: digest, prefix: text))
            }
        } catch {
            return try expect(!error.description.isEmpty, "a refusal without a reason")
        }
        for device in list.devices {
            try expect(KeyRule.isPrefix(device.prefix), "a prefix that is none")
            try expect((1...64).contains(device.name.utf8.count), "a name of \(device.name.utf8.count) bytes")
        }
        let again: DeviceList
        do throws(DeviceListError) {
            again = try DeviceList(parsing: list.text)
        } catch {
            throw FuzzFinding("the list cannot read what it wrote: \(error)")
        }
        try expect(fields(again) == fields(list), "the list reads otherwise than it was written")
        if input.first.map({ $0 & 1 == 0 }) ?? true { try expectSameWithOtherLineEnds(text, list) }
    } seeds: { _ in
        let print = "sha256:" + digest.description
        let texts = [
            "# name fingerprint\ncam1 \(print) prefix=cam1/\n", "cam1\t\(print)\r\n# second\r\n",
            "cam \(print) # the yard", "cam \(print) prefix=a/ prefix=b/\n", "a \(print)\na \(print)\n",
            "cam sha256:12",
            "cam \(print) prefix=e\u{301}/\n", "cam \(print) speed=9", "",
        ]
        var seeds: [String: [UInt8]] = [:]
        for (index, text) in texts.enumerated() { seeds["text-\(index)"] = [0] + text.utf8 }
        for (index, prefix) in ["", "cam/", "\u{338}a/", "\u{600}/", "a b/", "a#\u{301}/"].enumerated() {
            seeds["prefix-\(index)"] = [1] + prefix.utf8
        }
        return seeds
    }
}

private let digest = ToyDigest.sha256([1])

/// Returns bytes, because two Unicode spellings of one text are two prefixes, but equal as `String`.
private func fields(_ list: DeviceList) -> [[UInt8]] {
    list.devices.flatMap { [Array($0.name.utf8), $0.fingerprint.bytes, Array($0.prefix.utf8)] }
}

private func expectSameWithOtherLineEnds(_ text: String, _ list: DeviceList) throws(FuzzFinding) {
    guard !text.utf8.contains(UInt8(ascii: "\r")) else { return }
    let lines = text.utf8.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
    let other = String(decoding: Array(lines.joined(separator: "\r\n".utf8)), as: UTF8.self)
    let again: DeviceList
    do throws(DeviceListError) {
        again = try DeviceList(parsing: other)
    } catch {
        throw FuzzFinding("a list is not read with CR LF")
    }
    try expect(fields(again) == fields(list), "CR LF gives other devices")
}
