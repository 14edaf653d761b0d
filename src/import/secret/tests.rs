//! What is hidden of a line, and what isn't.

use super::*;

#[test]
fn what_could_be_a_password_is_hidden() {
    for (line, wanted) in [
        ("rootpw --plaintext hunter2", "rootpw --plaintext ****"),
        ("rootpw hunter2", "rootpw ****"),
        ("#rootpw hunter2", "#rootpw ****"),
        ("user --name=a --password=hunter2 --uid=5", "user --name=a --password=**** --uid=5"),
        ("user --name=a --password hunter2 --uid=5", "user --name=a --password **** --uid=5"),
        ("user --password \"two words\" --lock", "user --password **** **** --lock"),
        ("user --password \"two --words\" --lock", "user --password **** **** --lock"),
        ("user \"--password=two words\" --lock", "user \"--password=**** **** --lock"),
        ("user --password=two\\ words --lock", "user --password=**** **** --lock"),
        ("part / --passphrase='a b' --encrypted", "part / --passphrase=**** **** --encrypted"),
        ("d-i passwd/user-password password hunter2 x", "d-i passwd/user-password password **** ****"),
        ("d-i passwd/username string ops", "d-i passwd/username string ops"),
        ("# weak passwords will be refused", "# weak passwords will be refused"),
        ("# the password hunter2", "# the password ****"),
        ("bootloader --password=grub.pbkdf2.x", "bootloader --password=****"),
        ("    password: hunter2", "    password: ****"),
        ("password: |\n  hunter2\n  again", "password: |\n  ****\n  ****"),
        ("hash $6$abc$def", "hash ****"),
        ("ops:$6$abc$def", "****"),
        ("lang en_US.UTF-8", "lang en_US.UTF-8"),
        ("user --pasword=hunter2 --name=a", "user --pasword=**** --name=a"),
        ("part / --pasphrase hunter2", "part / --pasphrase ****"),
        ("rotpw hunter2", "rotpw ****"),
        ("realm join --one-time-pasword=hunter2 d", "realm join --one-time-pasword=**** d"),
        ("rhsm --activatoin-key=hunter2", "rhsm --activatoin-key=****"),
        ("d-i netcfg/wireles_wpa string hunter2", "d-i netcfg/wireles_wpa string ****"),
        ("tken: hunter2", "tken: ****"),
        ("password = hunter2", "password = ****"),
        ("tls_key: hunter2", "tls_key: ****"),
        ("consumer_key: hunter2", "consumer_key: ****"),
        ("taste: a, server: b, layout: c", "taste: a, server: b, layout: c"),
        ("repo --gpgkey=http://h/k", "repo --gpgkey=http://h/k"),
        ("ops:hunter2@h", "****@h"),
        ("ssh-rsa AAAA ops@host", "ssh-rsa AAAA ops@host"),
    ] {
        assert_eq!(masked(line), wanted);
    }
}

#[test]
fn names_of_secrets_are_told_in_any_spelling() {
    for (line, wanted) in [
        ("rhsm --activation-key=x --organization=1", "rhsm --activation-key=**** --organization=1"),
        ("rhsm --activation-key x", "rhsm --activation-key ****"),
        ("activation_key: x", "activation_key: ****"),
        ("d-i netcfg/wireless_wpa string hunter2", "d-i netcfg/wireless_wpa string ****"),
        ("d-i netcfg/wireless_wep string hunter2", "d-i netcfg/wireless_wep string ****"),
        ("wpa-psk hunter2", "wpa-psk ****"),
        ("  wpa_psk=hunter2", "  wpa_psk=****"),
        ("- type: dm_crypt\n  key: hunter2\n  id: a", "- type: dm_crypt\n  key: ****\n  id: a"),
        ("{type: dm_crypt, key: hunter2}", "{type: dm_crypt, key: ****"),
        ("{\"id\":\"a\",\"key\":\"hunter2\"}", "{\"id\":\"a\",\"key\":****"),
        ("key=hunter2", "key=****"),
        ("  authorized-keys: [ssh-rsa]", "  authorized-keys: [ssh-rsa]"),
        ("d-i apt-setup/local0/key string http://x/k", "d-i apt-setup/local0/key string http://x/k"),
    ] {
        assert_eq!(masked(line), wanted);
    }
}

#[test]
fn addresses_are_shown_without_who_may_read_them() {
    for (line, wanted) in [
        ("url --url=http://a:hunter2@h/x", "url --url=http://****@h/x"),
        ("proxy http://a:hun/ter2@h:1", "proxy http://****@h:1"),
        ("http://a:b@h,https://c:d@i/", "http://****@h,https://****@i/"),
        ("oci://h:5000/a@sha256:1", "oci://h:5000/a@sha256:1"),
        ("http://h/a@b", "http://h/a@b"),
    ] {
        assert_eq!(masked(line), wanted);
    }
}

#[test]
fn of_a_line_that_hands_a_secret_to_a_program_only_the_program_is_shown() {
    for (line, wanted) in [
        ("echo root:hunter2 | chpasswd", "**** chpasswd ****"),
        ("echo root:hunter2 \\\n  | /usr/sbin/chpasswd -e\ntrue", "****\n**** chpasswd ****\ntrue"),
        ("d-i preseed/late_command string echo x|passwd --stdin a", "**** passwd ****"),
        ("echo -n hunter2 | cryptsetup luksOpen /dev/sda3 x", "**** cryptsetup ****"),
        ("curl -u a:hunter2 http://h", "**** curl ****"),
        ("curl -sSu a:hunter2 http://h", "**** curl ****"),
        ("curl --user=a:hunter2 http://h", "**** curl ****"),
        ("d-i pkgsel/include string cryptsetup curl", "d-i pkgsel/include string cryptsetup curl"),
    ] {
        assert_eq!(masked(line), wanted);
    }
}

#[test]
fn a_line_is_one_line_and_not_endless() {
    assert_eq!(shown("a\tb\u{1b}[2J"), "a b [2J");
    assert_eq!(shown(&"x".repeat(10_000)).chars().count(), LONGEST + 1);
}
